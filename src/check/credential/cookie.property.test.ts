// The session cookie, against a reading that takes the whole header apart first.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CookieName } from '../../config/config.ts';
import { saidSeed } from '../../testing/seed.ts';
import { sessionCookie } from './cookie.ts';

/** The pair, or what it is instead. */
function slowly(lines: readonly string[], names: readonly CookieName[]): string {
  const pairs = lines
    .join(';')
    .split(';')
    .map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ''))
    .flatMap((pair) => {
      const [, name, value] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
      return name === undefined || value === '' ? [] : [{ pair, name }];
    });
  for (const wanted of names) {
    const named = pairs.filter(({ name }) => (wanted.prefix ? name.startsWith(wanted.name) : name === wanted.name));
    const [pair, other] = new Set(named.map((one) => one.pair));
    if (pair === undefined) continue;
    const behindComma = new RegExp(`,\\s*(?:${names.map(({ name }) => name).join('|')})`);
    if (other !== undefined || behindComma.test(pair)) return 'ambiguous';
    return pair.length <= 16_384 && /^[\w-]+=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/.test(pair)
      ? pair
      : 'malformed';
  }
  return 'absent';
}

function say(lines: readonly string[], names: readonly CookieName[]): string {
  const found = sessionCookie(lines, names);
  return found.kind === 'found' ? found.credential.value : found.kind;
}

const NAMES: readonly CookieName[] = [
  { name: 'ory', prefix: false },
  { name: 'ory_', prefix: true },
  { name: 'sid', prefix: false },
];
const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('ory=', 'ory_x=', 'sid=', 'v', 'w', ';', '; ') },
  { weight: 2, arbitrary: fc.constantFrom('ory', 'ory_', '=', ',', ', ', ' ', '\t', '"', '\xa0') },
  { weight: 1, arbitrary: byte },
);
const line = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
const names = fc.shuffledSubarray([...NAMES], { minLength: 1 });

describe('the session cookie', () => {
  test('is the one that taking the header apart finds, whatever the lines and names', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(line, { maxLength: 3 }), names, (lines, wanted) => {
        const expected = slowly(lines, wanted);
        expect(say(lines, wanted)).toBe(expected);
        const kind = expected.includes('=') ? 'found' : expected;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }),
      { numRuns: 20_000 },
    );
    for (const kind of ['found', 'absent', 'malformed', 'ambiguous'])
      expect(seen.get(kind), `${kind}: ${saidSeed()}`).toBeGreaterThan(300);
  });

  test('is found or not in any bytes, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: byte, maxLength: 200 }), { maxLength: 3 }), names, (lines, wanted) => {
        expect(say(lines, wanted)).toBe(slowly(lines, wanted));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([16_384, 16_385])('is long enough to be refused or not: %i bytes', (length) => {
    const pair = `ory=${'v'.repeat(length - 4)}`;
    expect(say([pair], NAMES)).toBe(slowly([pair], NAMES));
  });
});
