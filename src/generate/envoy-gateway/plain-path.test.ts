// Paths with one reading, as an expression: exactly those that the authorizer takes, and matches a rule with.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalPath } from '../../config/path.ts';
import { parsePathGlob, pathMatches } from '../../config/pattern.ts';
import { MAX_PATH, PLAIN_PATH, plainPathOf } from './plain-path.ts';

/** RE2 without what JavaScript lacks: the expressions have classes, groups and repetitions alone. */
const whole = (regex: string) => new RegExp(`^(?:${regex})$`);

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', '.', '-', '~', '@', ':', "'", '!', '[', ']') },
  { weight: 2, arbitrary: fc.constantFrom('/', '//', ';', '%', '\\', '?', '#', ' ', '|', 'é', '\u0000', '\n') },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 255 }).map((byte) => `%${byte.toString(16).padStart(2, '0')}`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('%E0%80', '%e0%A0%80', '%F0%80', '%f0%90%80%80', '%C3%A9', '%c0%ae', '%2F', '%2e'),
  },
);
const path = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join('')}`);

/** As they arrive: without dot segments, and without what Envoy escapes by itself. */
function arrives(text: string): boolean {
  return !/(?:^|\/)\.{1,2}(?:\/|$)/.test(text) && !/["<>^`{|} \u0080-\uffff]/.test(text);
}

/** Shortness: no character begins so, and such paths are asked about. */
const NO_CHARACTER = /%(?:f[5-9a-f]|[ef]0$|[ef]0[^%])/i;

test('an expression takes no path that the authorizer would not', () => {
  fc.assert(
    fc.property(path, (text) => {
      const taken = whole(PLAIN_PATH).test(text);
      if (taken && arrives(text)) expect(canonicalPath(text)).toBeDefined();
    }),
    { numRuns: 20_000 },
  );
});

test('and of those that it does take, all but what no text is', () => {
  fc.assert(
    fc.property(path, (text) => {
      if (!arrives(text) || NO_CHARACTER.test(text) || canonicalPath(text) === undefined) return;
      // A byte that goes on with a character that has not begun is no text either.
      if (/%[ef]0(?!%[89ab])/i.test(text)) return;
      expect(whole(PLAIN_PATH).test(text), text).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});

const step = fc.constantFrom('a', 'b.c', 'a@b', 'caf%C3%A9', '*');
const glob = fc
  .tuple(fc.array(step, { maxLength: 3 }), fc.constantFrom('', '/**', '/'))
  .map(([steps, end]) => `/${steps.join('/')}${end}`.replace('//', '/'));

test('a rule’s expression takes exactly the rule’s paths, as far as they have one reading', () => {
  fc.assert(
    fc.property(
      glob,
      fc.array(fc.constantFrom('a', 'b.c', 'a@b', 'a%40b', 'caf%c3%a9', 'x', ''), { maxLength: 4 }),
      (source, steps) => {
        const parsed = parsePathGlob(source);
        if (!parsed.ok) return;
        const text = `/${steps.join('/')}`;
        const canonical = canonicalPath(text);
        const matches = canonical !== undefined && pathMatches(parsed.value, canonical.slice(1).split('/'));
        expect(whole(plainPathOf(parsed.value)).test(text), `${source} ${text}`).toBe(matches);
      },
    ),
    { numRuns: 10_000 },
  );
});

test('is short enough for a few stars', () => {
  const parsed = parsePathGlob('/*/*/*/**');
  expect(parsed.ok && plainPathOf(parsed.value).length).toBeLessThan(MAX_PATH);
});
