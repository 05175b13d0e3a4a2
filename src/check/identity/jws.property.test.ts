// Reading a JWS, against the platform's own base64url and JSON, and in any bytes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { saidSeed } from '../../testing/seed.ts';
import { isStrictBase64url, readJws } from './jws.ts';

/** One spelling for each sequence of bytes: the one that encoding them again gives. */
function isTheSpelling(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

function slowly(token: string): { header: unknown; claims: unknown } | undefined {
  const parts = token.split('.');
  const [head = '', body = ''] = parts;
  if (parts.length !== 3 || parts.includes('') || !parts.every(isTheSpelling)) return undefined;
  if (token.length > 61_440) return undefined;
  const header = object(head);
  const claims = object(body);
  const forbidden = /^(?:crit|jwk|jku|x5u|x5c|b64|zip)$/;
  if (!header || !claims || Object.keys(header).some((key) => forbidden.test(key))) return undefined;
  return { header, claims };
}

function object(part: string): object | undefined {
  const bytes = Buffer.from(part, 'base64url');
  const text = bytes.toString('utf8');
  // What is no UTF-8 does not come back.
  if (!Buffer.from(text, 'utf8').equals(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const alphabet = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', ...'AQgwABCD');

describe('strict base64url', () => {
  test('has one spelling for each sequence of bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: alphabet, maxLength: 12 }),
          fc.string({
            unit: fc.oneof({ weight: 8, arbitrary: alphabet }, { weight: 1, arbitrary: byte }),
            maxLength: 6,
          }),
          fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64')),
          fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
        ),
        (text) => {
          expect(isStrictBase64url(text)).toBe(isTheSpelling(text));
        },
      ),
      { numRuns: 20_000 },
    );
  });
});

describe('a JWS', () => {
  const json = fc.oneof(
    fc.dictionary(
      fc.constantFrom(
        'alg',
        'kid',
        'sub',
        'crit',
        'jwk',
        'jku',
        'x5u',
        'x5c',
        'b64',
        'zip',
        '__proto__',
        'constructor',
      ),
      fc.constantFrom('a', 1, null),
      { maxKeys: 2 },
    ),
    fc.constantFrom(null, [], 'x', 1, {}, {}),
  );
  const text = fc.oneof(
    { weight: 6, arbitrary: json.map((value) => Buffer.from(JSON.stringify(value))) },
    { weight: 1, arbitrary: json.map((value) => Buffer.from(`\ufeff${JSON.stringify(value)}`)) },
    { weight: 1, arbitrary: json.map((value) => Buffer.from(`{"a":"\xff","b":${JSON.stringify(value)}}`, 'latin1')) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)) },
  );
  const part = fc.oneof(
    { weight: 12, arbitrary: text.map((bytes) => bytes.toString('base64url')) },
    { weight: 1, arbitrary: text.map((bytes) => bytes.toString('base64')) },
    { weight: 1, arbitrary: fc.constantFrom('', 'AB', 'A', 'e30=', ' e30') },
  );
  const token = fc
    .tuple(part, part, part, fc.constantFrom('.', '.', '.', '.', '..', ''))
    .map(([head, body, signature, dot]) => `${head}.${body}${dot}${signature}`);

  test('is read as the platform reads its parts', () => {
    let read = 0;
    fc.assert(
      fc.property(token, (one) => {
        const expected = slowly(one);
        expect(readJws(one)).toEqual(expected);
        if (expected) read++;
      }),
      { numRuns: 20_000 },
    );
    expect(read, saidSeed()).toBeGreaterThan(500);
  });

  test('is read or not in any bytes, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.oneof(byte, fc.constantFrom('.', 'e30', 'A')), maxLength: 40 }), (one) => {
        expect(readJws(one)).toEqual(slowly(one));
      }),
      { numRuns: 5_000 },
    );
  });

  const ofLength = (length: number) => {
    const bytes = Math.floor((length * 3) / 4);
    return Buffer.from(JSON.stringify({ a: 'x'.repeat(bytes - '{"a":""}'.length) })).toString('base64url');
  };

  test.each([
    [61_440, true],
    [61_441, false],
  ])('may have %i characters: %s', (length, expected) => {
    const one = `e30.${ofLength(length - 9)}.AAAA`;
    expect(one).toHaveLength(length);
    expect([readJws(one), slowly(one)].map((read) => read !== undefined)).toEqual([expected, expected]);
  });
});
