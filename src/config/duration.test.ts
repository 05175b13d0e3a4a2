// Durations, read and written.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { durationMs, formatDuration } from './duration.ts';

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['15m', 900_000],
  ['1h', 3_600_000],
  ['0s', 0],
  ['007s', 7_000],
])('%s is %d ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(['', '5', 's', '-1s', '1.5s', '1 s', '1S', '1s ', '1d', '1m30s', '1e3s', '9999999999s', '١s', '1s\n'])(
  '%j is no duration',
  (text) => {
    expect(durationMs(text)).toBeUndefined();
  },
);

test('what is written is read again as the same time', () => {
  fc.assert(fc.property(fc.nat(999_999_999), (ms) => durationMs(formatDuration(ms)) === ms));
});
