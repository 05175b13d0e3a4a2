// Envoy’s matchers, held against the engine’s.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath } from '../../config/path.ts';
import { hostMatches, type Parsed, parseHostPattern, parsePathGlob, pathMatches } from '../../config/pattern.ts';
import {
  hostRegex,
  OVERLONG_ESCAPE,
  PLAIN_HOST,
  pathMatch,
  pathRegex,
  plainPathRegex,
  routeMatch,
  UNNORMALISED_PATH,
} from './path-matchers.ts';

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}
const glob = (source: string) => value(parsePathGlob(source));
const host = (source: string) => value(parseHostPattern(source));

/** RE2 as Envoy uses it: the whole value must match. */
function re2(regex: string): RegExp {
  const body = regex.replace(/^\(\?i\)/, '').replaceAll('\\C', '[\\s\\S]');
  return new RegExp(`^(?:${body})$`, regex.startsWith('(?i)') ? 'i' : '');
}

describe('paths', () => {
  test.each([
    ['/', { path: '/' }],
    ['/a/b', { path: '/a/b' }],
    ['/a/', { path: '/a/' }],
    ['/a.b', { path: '/a.b' }],
    ['/**', { prefix: '/' }],
    ['/a/b/**', { path_separated_prefix: '/a/b' }],
    ['/a/*', { safe_regex: { regex: '/a/[^/]+' } }],
    ['/a.b/*/**', { safe_regex: { regex: '/a\\.b/[^/]+(?:/.*)?' } }],
    ['/é/**', { safe_regex: { regex: '/%[Cc]3%[Aa]9(?:/.*)?' } }],
    ['/a|b', { safe_regex: { regex: '/a%7[Cc]b' } }],
  ])('%s is %j', (source, matcher) => {
    expect(pathMatch(glob(source))).toEqual(matcher);
  });

  test('an expression matches exactly the paths that the engine matches', () => {
    const segment = fc.constantFrom('a', 'b', 'a.b', 'axb', '', '%C3%A9', "!$&'()+,=:@[]~", '...', 'a+');
    const globs = fc
      .tuple(
        fc.array(
          fc.oneof(
            segment.filter((text) => text !== ''),
            fc.constant('*'),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        fc.constantFrom('', '/', '/**'),
      )
      .map(([segments, end]) => `/${segments.join('/')}${end}`);
    const paths = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
    const property = fc.property(globs, paths, (source, path) => {
      const canonical = canonicalPath(path);
      if (canonical === undefined) return;
      const parsed = glob(source);
      const expected = pathMatches(parsed, canonical.slice(1).split('/'));
      expect(re2(pathRegex(parsed)).test(path)).toBe(expected);
      expect(re2(pathRegex(parsed)).test(path.replace('%C3', '%c3'))).toBe(expected);
    });
    fc.assert(property, { numRuns: 5_000, seed: 1 });
  });

  test('what the two refusing expressions leave is what canonicalPath knows', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'a',
        '.',
        '..',
        '/',
        '//',
        '%',
        '%2e',
        '%2F',
        '%5c',
        '%25',
        '%3B',
        '%41',
        '%c3',
        '%7F',
        '%00',
        ';',
        '\\',
        '#',
      ),
      fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, '0')}`),
      fc.constantFrom('%e0', '%F0', '%f8', '%FC', '%80', '%9f', '%A0', '%84', '%88'),
    );
    const paths = fc
      .array(piece, { maxLength: 6 })
      .map((pieces) => `/${pieces.join('')}`)
      .filter((path) => !/[?"<>^`{|}]/.test(path));
    const [plain, unnormalised, overlong] = [re2(plainPathRegex()), re2(UNNORMALISED_PATH), re2(OVERLONG_ESCAPE)];
    const property = fc.property(paths, fc.constantFrom('', '?', '?/../;%\xff'), (path, query) => {
      const whole = path + query;
      const left = plain.test(whole) && !unnormalised.test(whole) && !overlong.test(whole);
      expect(left, path).toBe(canonicalPath(path) !== undefined);
    });
    fc.assert(property, { numRuns: 20_000, seed: 2 });
  });

  test('what Envoy itself escapes, and all that is not ASCII, is refused where it is not escaped', () => {
    for (const char of '"<>^`{|} \x00\x1f\x7f\x80é') expect(re2(plainPathRegex()).test(`/a${char}`)).toBe(false);
  });

  test('the expressions stay below the size at which an Envoy without our runtime setting refuses them', () => {
    expect(plainPathRegex().length).toBeLessThan(200);
    expect(plainPathRegex()).toMatchInlineSnapshot(
      `"/(?:[!$&-:=@-\\[\\]_a-z~]|%(?:2[0-246-9A-Ca-c]|3[AC-Eac-e]|[46]0|5[BDEbde]|7[B-Db-d]|[89ABD-Fabd-f][0-9A-Fa-f]|[Cc][2-9A-Fa-f]))*(?:\\?\\C*)?"`,
    );
  });
});

describe('hosts', () => {
  test('an expression matches exactly the hosts that the engine matches, with port and trailing dot ignored', () => {
    const patterns = fc.constantFrom('acme.com', 'API.acme.com', '*.acme.com', '*.api.acme.com', '[::1]', 'a-b_c.d');
    const names = fc.constantFrom(
      'acme.com',
      'api.acme.com',
      'x.api.acme.com',
      '.acme.com',
      'xacme.com',
      'apixacme.com',
      'acme.com.x',
      '[::1]',
      'a-b_c.d',
    );
    const property = fc.property(
      patterns,
      names,
      fc.boolean(),
      fc.constantFrom('', '.', '..'),
      fc.constantFrom('', ':', ':80', ':443'),
      (source, name, upper, dot, port) => {
        if (name.startsWith('[') && dot !== '') return;
        const authority = (upper ? name.toUpperCase() : name) + dot + port;
        expect(re2(hostRegex(host(source))).test(authority), authority).toBe(
          hostMatches(host(source), name + dot.slice(1)),
        );
      },
    );
    fc.assert(property, { numRuns: 3_000, seed: 3 });
  });

  test.each(['a', 'a.b:80', 'A_b-c.d.:', '[::1]', '[::ffff:1.2.3.4]:8080'])(
    '"%s" is a host with one reading',
    (authority) => {
      expect(re2(PLAIN_HOST).test(authority)).toBe(true);
    },
  );

  test.each([
    '',
    ':80',
    'a:b',
    'a:80:80',
    'u@a',
    'a,b',
    'a/b',
    'a\\b',
    'a b',
    '[::1',
    '[::1]x',
    '[a',
    'a]',
    '[::1]:x',
    'é',
    'a\x7f',
    'a\t',
    'a%41',
    'admin%2eacme.com',
    'a;b',
    "a!~*'",
    'a..',
    '.a',
    'a..b',
  ])('"%s" is not', (authority) => {
    expect(re2(PLAIN_HOST).test(authority)).toBe(false);
  });
});

test('a route matches on host and method beside the path', () => {
  expect(routeMatch(glob('/a'), host('acme.com'), ['GET'])).toEqual({
    path: '/a',
    headers: [
      { name: ':authority', string_match: { safe_regex: { regex: '(?i)acme\\.com\\.?(?::[0-9]*)?' } } },
      { name: ':method', string_match: { exact: 'GET' } },
    ],
  });
  expect(routeMatch(glob('/a'), undefined, ['GET', 'HEAD'])).toEqual({
    path: '/a',
    headers: [{ name: ':method', string_match: { safe_regex: { regex: 'GET|HEAD' } } }],
  });
  expect(routeMatch(glob('/a'), undefined, undefined)).toEqual({ path: '/a' });
});
