// Path globs and host patterns: parsing, matching, and which covers which, proved against matching.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ANY,
  hostCovers,
  hostMatches,
  type Parsed,
  parseHostPattern,
  parsePathGlob,
  pathCovers,
  pathMatches,
} from './pattern.ts';

function read<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

function matches(glob: string, path: string): boolean {
  return pathMatches(read(parsePathGlob(glob)), path.slice(1).split('/'));
}

describe('path globs', () => {
  test.each([
    ['/', ['/'], ['/a']],
    ['/a', ['/a'], ['/a/', '/A', '/', '/ab', '/a/b']],
    ['/a/', ['/a/'], ['/a', '/a/b']],
    ['/**', ['/', '/a', '/a/', '/a/b/c'], []],
    ['/admin/**', ['/admin', '/admin/', '/admin/x', '/admin/x/y'], ['/adminx', '/Admin', '/', '/x/admin']],
    ['/*', ['/a'], ['/', '/a/', '/a/b']],
    ['/*/**', ['/a', '/a/', '/a/b'], ['/']],
    ['/a/*/c', ['/a/b/c'], ['/a//c', '/a/b', '/a/b/c/', '/a/b/x/c']],
    ['/a/*/', ['/a/b/'], ['/a/b', '/a//']],
    ['/é/%c3%a9', ['/%C3%A9/%C3%A9'], ['/é/é']],
    ['/À€𝒳', ['/%C3%80%E2%82%AC%F0%9D%92%B3'], []],
  ])('%s matches what it says', (glob, yes, no) => {
    for (const path of yes) expect(matches(glob, path), path).toBe(true);
    for (const path of no) expect(matches(glob, path), path).toBe(false);
  });

  test.each([
    '',
    'a',
    '*',
    '/a/**/b',
    '/a*',
    '/*a/b',
    '/***',
    '/a//b',
    '/a//**',
    '//**',
    '/a//',
    '/.',
    '/a/../b',
    '/a;b',
    '/a?b',
    '/a#b',
    '/%61',
    '/%',
    '/a\\b',
    '/a\n',
  ])('%j is refused, with a way out', (glob) => {
    expect(parsePathGlob(glob)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/./),
      fix: expect.stringMatching(/./),
    });
  });

  const segment = fc.constantFrom('a', 'b');
  const glob = fc
    .tuple(fc.array(fc.oneof(segment, fc.constant('*')), { maxLength: 3 }), fc.constantFrom('', '/', '/**'))
    .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/');
  /** Every path over three names, up to one segment longer than any glob. */
  const paths = everyPath(['a', 'b', 'x'], 5);

  test('one glob covers another exactly where it matches every path that the other matches', () => {
    fc.assert(
      fc.property(glob, glob, (wide, narrow) => {
        const [w, n] = [read(parsePathGlob(wide)), read(parsePathGlob(narrow))];
        const all = paths.every((path) => !pathMatches(n, path) || pathMatches(w, path));
        expect(pathCovers(w, n), `${wide} covers ${narrow}`).toBe(all);
      }),
      { numRuns: 3_000 },
    );
  });

  test('of a long path no more is looked at than the glob has segments', () => {
    const parsed = read(parsePathGlob(`/${'*/'.repeat(100)}**`));
    let looks = 0;
    const path = new Proxy(
      Array.from({ length: 100_000 }, () => 'a'),
      {
        get: (segments, key) => {
          looks++;
          return Reflect.get(segments, key);
        },
      },
    );
    expect(pathMatches(parsed, path)).toBe(true);
    // And its length.
    expect(looks).toBeLessThanOrEqual(101);
    expect(parsed.segments.every((one) => one === ANY)).toBe(true);
  });
});

describe('host patterns', () => {
  test.each([
    ['api.acme.com', ['api.acme.com'], ['acme.com', 'x.api.acme.com', 'api.acme.com.evil']],
    ['API.Acme.com.', ['api.acme.com'], []],
    ['*.acme.com', ['a.acme.com', 'a.b.acme.com'], ['acme.com', '.acme.com', 'evilacme.com']],
    ['127.0.0.1', ['127.0.0.1'], []],
    ['[::1]', ['[::1]'], ['::1']],
  ])('%s matches what it says', (pattern, yes, no) => {
    const parsed = read(parseHostPattern(pattern));
    for (const host of yes) expect(hostMatches(parsed, host), host).toBe(true);
    for (const host of no) expect(hostMatches(parsed, host), host).toBe(false);
  });

  test.each([
    '',
    '*',
    '*.',
    'a.acme.com:80',
    '*.*.com',
    'a.*.com',
    'a b',
    'a/b',
    'a..b',
    'é.com',
    '[::1]:80',
    'a\n',
    'http://a',
  ])('%j is refused', (pattern) => {
    expect(parseHostPattern(pattern).ok).toBe(false);
  });

  const label = fc.constantFrom('a', 'b', 'ab');
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const pattern = fc.oneof(
    host,
    host.map((one) => `*.${one}`),
  );
  const hosts = everyPath(['a', 'b', 'ab', 'x'], 6)
    .filter((one) => !one.includes(''))
    .map((one) => one.join('.'));

  test('one pattern covers another exactly where it matches every host that the other matches', () => {
    fc.assert(
      fc.property(pattern, pattern, (wide, narrow) => {
        const [w, n] = [read(parseHostPattern(wide)), read(parseHostPattern(narrow))];
        const all = hosts.every((one) => !hostMatches(n, one) || hostMatches(w, one));
        expect(hostCovers(w, n), `${wide} covers ${narrow}`).toBe(all);
        expect(hostCovers(undefined, n)).toBe(true);
        expect(hostCovers(w, undefined)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

/** Segments of every path up to a length; the last one may be empty, as after a trailing slash. */
function everyPath(names: readonly string[], maxLength: number): string[][] {
  let all: string[][] = [[]];
  const found: string[][] = [];
  for (let length = 1; length <= maxLength; length++) {
    found.push(...all.map((path) => [...path, '']));
    all = all.flatMap((path) => names.map((name) => [...path, name]));
    found.push(...all);
  }
  return found;
}
