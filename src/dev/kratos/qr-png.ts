// A QR code as the PNG data URL that Kratos puts into a flow. No I/O.
import { crc32, deflateSync } from 'node:zlib';
import { encodeQR } from 'qr';

const modulePixels = 4;

/** @returns the address of the image and its width, which is its height */
export function qrPng(text: string): { readonly src: string; readonly width: number } {
  const modules = encodeQR(text, 'raw', { ecc: 'medium', border: 4 });
  const width = modules.length * modulePixels;
  const rows = modules.flatMap((row) => Array<Buffer>(modulePixels).fill(pixelRow(row, width)));
  return { src: `data:image/png;base64,${png(width, Buffer.concat(rows)).toString('base64')}`, width };
}

/** One filter byte (none), then one bit a pixel: 1 is white. */
function pixelRow(row: readonly boolean[], width: number): Buffer {
  const bytes = Buffer.alloc(1 + Math.ceil(width / 8));
  for (let x = 0; x < width; x++) {
    const at = 1 + (x >> 3);
    if (row[Math.floor(x / modulePixels)] !== true) bytes[at] = (bytes[at] ?? 0) | (0x80 >> (x & 7));
  }
  return bytes;
}

/** PNG (ISO 15948) of one bit greyscale. */
function png(width: number, rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(width, 4);
  header[8] = 1;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND')]);
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}
