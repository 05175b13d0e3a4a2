// Authorization and X-Session-Token, against a reading that takes the headers apart first.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { saidSeed } from '../../testing/seed.ts';
import { request } from '../testing/request.ts';
import { type BearerReading, extract } from './extract.ts';

type Headers = { readonly authorization: readonly string[]; readonly sessionToken: readonly string[] };

/** Several lines of a header are one with commas (RFC 9110, section 5.3). */
function values(lines: readonly string[]): string[] {
  return lines
    .join(',')
    .split(',')
    .map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((one) => one !== '');
}

function bearer(lines: readonly string[]): string {
  const all = values(lines);
  if (!all.some((one) => /^bearer( |$)/i.test(one))) return 'absent';
  if (new Set(all).size > 1) return 'ambiguous';
  return all[0]?.slice(7).replace(/^[ \t]+/, '') || 'absent';
}

function judged(value: string, kind: 'session' | 'token'): string {
  const fits = value.length <= (kind === 'session' ? 16_384 : 61_440);
  return fits && /^[A-Za-z0-9._~+/=-]+$/.test(value) ? `found ${value}` : 'malformed';
}

/** Without cookies. "`ory_st_…` is a session token where a rule takes both." */
function slowly({ authorization, sessionToken }: Headers, kind: 'session' | 'token', reading: BearerReading): string {
  const [own, other] = new Set(values(sessionToken));
  if (kind === 'session' && other !== undefined) return 'ambiguous';
  if (kind === 'session' && own !== undefined) return judged(own, kind);
  const found = bearer(authorization);
  if (found === 'absent' || found === 'ambiguous') return found;
  const ofSession = found.startsWith('ory_st_');
  if (kind === 'session' ? reading === 'both' && !ofSession : ofSession) return 'absent';
  return judged(found, kind);
}

function say(headers: Headers, kind: 'session' | 'token', reading: BearerReading): string {
  const found = extract(request(headers), kind, reading, []);
  if (found.kind !== 'found') return found.kind;
  expect(found.credential.kind).toBe(kind === 'session' ? 'session_token' : 'access_token');
  return `found ${found.credential.value}`;
}

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const piece = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('Bearer ', 'bearer ', 'BEARER', 'ory_st_x', 'a.b.c', 't=', 'Basic eA=='),
  },
  { weight: 3, arbitrary: fc.constantFrom(' ', '\t', ',', ', ', 'Bearer\t', 'Bearerx ', '\xa0', '"') },
  { weight: 1, arbitrary: byte },
);
/** Without blanks around it, as any HTTP server hands it on. */
const line = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('').replace(/^[ \t]+|[ \t]+$/g, ''));
const lines = fc.array(line, { maxLength: 3 });
const headers = fc.record({ authorization: lines, sessionToken: fc.oneof(fc.constant([]), lines) });
const kind = fc.constantFrom<'session' | 'token'>('session', 'token');
const reading = fc.constantFrom<BearerReading>('session', 'token', 'both');

describe('the bearer and the session token', () => {
  test('are those that taking the headers apart finds', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(headers, kind, reading, (given, what, how) => {
        const expected = slowly(given, what, how);
        expect(say(given, what, how)).toBe(expected);
        const [outcome = ''] = expected.split(' ');
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }),
      { numRuns: 20_000 },
    );
    for (const outcome of ['found', 'absent', 'malformed', 'ambiguous'])
      expect(seen.get(outcome), `${outcome}: ${saidSeed()}`).toBeGreaterThan(300);
  });

  test('are found or not in any bytes, and nothing is thrown; what is found is a token', () => {
    const any = fc.array(fc.oneof(fc.string({ unit: byte, maxLength: 60 }), line), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.record({ authorization: any, sessionToken: any, cookie: any }),
        kind,
        reading,
        (given, what, how) => {
          const found = extract(request(given), what, how, [{ name: 'a', prefix: true }]);
          if (found.kind === 'found') expect(found.credential.value).toMatch(/^[\x21-\x7e]+$/);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['token', 61_440, true],
    ['token', 61_441, false],
    ['session', 16_384, true],
    ['session', 16_385, false],
  ] as const)('of a %s, %i bytes: %s', (what, length, fits) => {
    const given = { authorization: [`Bearer ${'x'.repeat(length)}`], sessionToken: [] };
    expect(say(given, what, what)).toBe(slowly(given, what, what));
    expect(say(given, what, what).startsWith('found')).toBe(fits);
  });
});
