// Header values of any identity: printable, one value each, and reversible.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Identity, JsonObject } from '../identity/identity.ts';
import { encodeValue, identityHeaders } from './identity-headers.ts';

/** "Every byte outside 0x21-0x7E, and %, is percent-encoded UTF-8." */
function slowly(text: string): string {
  return [...new TextEncoder().encode(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /^[\x21-\x7e]$/.test(char) && char !== '%'
        ? char
        : `%${(byte + 0x100).toString(16).slice(1).toUpperCase()}`;
    })
    .join('');
}

function numbersOf(value: unknown): number[] {
  const numbers: number[] = [];
  JSON.stringify(value, (_, one: unknown) => {
    if (typeof one === 'number') numbers.push(one);
    return one;
  });
  return numbers;
}

/** As an application would: bytes first. */
function decoded(value: string): string {
  const bytes = value.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)) }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.string(),
);

describe('an encoded value', () => {
  test('is the text, byte for byte, and gives it back', () => {
    fc.assert(
      fc.property(text, (one) => {
        const value = encodeValue(one);
        expect(value).toBe(slowly(one));
        expect(decoded(value)).toBe(one.toWellFormed());
        expect(value).toMatch(/^[\x21-\x7e]*$/);
      }),
      { numRuns: 10_000 },
    );
  });

  test('is different for different texts', () => {
    const piece = fc.constantFrom('%', '2', '5', '%25', ' ', '%20', 'é', '\xc3', '\n', 'a');
    const pieces = fc.array(piece, { maxLength: 4 }).map((all) => all.join(''));
    fc.assert(
      fc.property(pieces, pieces, (one, other) => {
        expect(encodeValue(one) === encodeValue(other)).toBe(one === other);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('the header of a claim', () => {
  test('is one printable value for any JSON whose numbers are exact, and gives it back', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (claim) => {
        // As a claim arrives: through JSON.
        const claims = JSON.parse(JSON.stringify({ claim })) as JsonObject;
        const identity: Identity = {
          kind: 'token',
          proof: 'key',
          claims,
          audiences: [],
          expiresAtMs: 0,
          key: { kid: '', material: '' },
        };
        const headers = () =>
          identityHeaders(identity, [{ name: 'X-A', sources: [{ kind: 'token', path: ['claim'] }] }]);
        if (numbersOf(claims).some((one) => Math.abs(one) > 2 ** 53 - 1)) {
          expect(headers).toThrow('not exact');
          return;
        }
        const [pair, ...more] = headers();
        expect(more).toEqual([]);
        if (claim === null || claim === '') {
          expect(pair).toBeUndefined();
          return;
        }
        const [name, value = ''] = pair ?? [];
        expect(name).toBe('x-a');
        expect(value).toMatch(/^[\x21-\x7e]+$/);
        const back = decoded(value);
        const wanted = claims['claim'];
        expect(typeof wanted === 'object' ? JSON.stringify(JSON.parse(back)) : back).toBe(
          typeof wanted === 'object' ? JSON.stringify(wanted) : String(wanted).toWellFormed(),
        );
      }),
      { numRuns: 3_000 },
    );
  });
});
