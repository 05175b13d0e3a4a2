// Time-based codes, by the vectors of RFC 6238.
import { expect, test } from 'vitest';
import { newTotpSecret, totpCode, totpMatches, totpUrl } from './totp.ts';

/** The ASCII secret of the RFC, `12345678901234567890`, in base32. */
const rfcSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

// RFC 6238, appendix B, the rows of SHA-1; of its eight digits the last six are the code of six.
test.each([
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
])('the code at %i s is that of RFC 6238', (seconds, eight) => {
  expect(totpCode(rfcSecret, seconds * 1000)).toBe(eight.slice(2));
});

test('a code holds for its own period and the ones beside it, no longer', () => {
  const now = 1_234_567_890_000;
  const code = totpCode(rfcSecret, now);
  for (const shift of [-30_000, 0, 30_000]) expect(totpMatches(rfcSecret, code, now + shift)).toBe(true);
  for (const shift of [-60_000, 60_000]) expect(totpMatches(rfcSecret, code, now + shift)).toBe(false);
});

test.each(['', '12345', '1234567', '００００００', 'abcdef', '-1', '1e5'])('%j is no code', (code) => {
  expect(totpMatches(rfcSecret, code, 59_000)).toBe(false);
});

test('every new secret is 160 bits that no other has', () => {
  const secrets = Array.from({ length: 50 }, newTotpSecret);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  expect(new Set(secrets).size).toBe(secrets.length);
});

test.each(['', 'lower', 'GEZ1', 'GEZD====', 'GEZ D'])('%j is no secret', (secret) => {
  expect(() => totpCode(secret, 0)).toThrow(RangeError);
});

test('the address for an app escapes whom it is for', () => {
  const url = new URL(totpUrl('Ory & you', 'a:b@example.com', rfcSecret));
  expect(url.pathname).toBe('/Ory%20%26%20you:a%3Ab%40example.com');
  expect(url.searchParams.get('secret')).toBe(rfcSecret);
});
