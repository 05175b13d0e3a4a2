// The picture of a QR code, read back.
import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { totpUrl } from '../totp.ts';
import { qrPng } from './qr-png.ts';

/** The rows of pixels, true is dark. */
function pixels(src: string): boolean[][] {
  const png = Buffer.from(src.slice('data:image/png;base64,'.length), 'base64');
  expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  const width = png.readUInt32BE(16);
  const length = png.readUInt32BE(33);
  expect(png.toString('latin1', 37, 41)).toBe('IDAT');
  const rows = inflateSync(png.subarray(41, 41 + length));
  const stride = 1 + Math.ceil(width / 8);
  return Array.from({ length: width }, (_, y) =>
    Array.from({ length: width }, (_, x) => ((rows[y * stride + 1 + (x >> 3)] ?? 0) & (0x80 >> (x & 7))) === 0),
  );
}

test('the picture is a QR code with a quiet zone, read back from the PNG', async () => {
  const text = totpUrl('Development Ory', 'ada@example.com', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
  const { src, width } = qrPng(text);
  const dark = pixels(src);
  expect(dark).toHaveLength(width);
  expect(dark.slice(0, 16).flat()).not.toContain(true);
  const { default: decodeQR } = await import('qr/decode.js');
  const data = new Uint8Array(dark.flat().flatMap((isDark) => (isDark ? [0, 0, 0, 255] : [255, 255, 255, 255])));
  expect(decodeQR({ width, height: width, data })).toBe(text);
});
