// Two rules overlap exactly where some request matches both.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostsOverlap, overlap, pathsOverlap } from './overlap.ts';
import { hostMatches, type Parsed, parseHostPattern, parsePathGlob, pathMatches } from './pattern.ts';

function read<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

const name = fc.constantFrom('a', 'b', '*');
const glob = fc
  .tuple(fc.array(name, { maxLength: 3 }), fc.constantFrom('', '/', '/**'))
  .map(([names, end]) => `/${names.join('/')}${names.length > 0 ? end : end.slice(1)}`);

/** Every path of up to four segments, with and without a slash at its end. */
const paths = (() => {
  let all: string[][] = [[]];
  const found: string[][] = [['']];
  for (let length = 1; length <= 4; length++) {
    all = all.flatMap((path) => ['a', 'b', 'x'].map((segment) => [...path, segment]));
    found.push(...all, ...all.map((path) => [...path, '']));
  }
  return found;
})();

test('paths', () => {
  fc.assert(
    fc.property(glob, glob, (one, other) => {
      const [a, b] = [read(parsePathGlob(one)), read(parsePathGlob(other))];
      const some = paths.some((path) => pathMatches(a, path) && pathMatches(b, path));
      expect(pathsOverlap(a, b), `${one} and ${other}`).toBe(some);
    }),
    { numRuns: 2_000 },
  );
});

const hosts = ['a', 'b', 'a.a', 'b.a', 'a.b', 'b.b', 'x.a.a', 'x.b.a', 'x.a.b', 'x.y.b.a', 'x.y.a.b'];
const pattern = fc.constantFrom('a', 'b', 'a.a', 'b.a', 'a.b', '*.a', '*.b', '*.b.a', '*.a.b', '*.y.b.a');

test('hosts', () => {
  fc.assert(
    fc.property(pattern, pattern, (one, other) => {
      const [a, b] = [read(parseHostPattern(one)), read(parseHostPattern(other))];
      const some = hosts.some((host) => hostMatches(a, host) && hostMatches(b, host));
      expect(hostsOverlap(a, b), `${one} and ${other}`).toBe(some);
      expect([hostsOverlap(a, undefined), hostsOverlap(undefined, b)]).toEqual([true, true]);
    }),
    { numRuns: 500 },
  );
});

test('methods', () => {
  const rule = (methods: readonly string[] | undefined) => ({
    host: undefined,
    path: read(parsePathGlob('/a')),
    methods,
  });
  expect(overlap(rule(['GET']), rule(['POST', 'GET']))).toBe(true);
  expect(overlap(rule(['GET']), rule(['POST']))).toBe(false);
  expect(overlap(rule(undefined), rule(['POST']))).toBe(true);
});
