// The canonical path: a table, and what holds for every path.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath } from './path.ts';

describe('canonicalPath', () => {
  test.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/', '/a/'],
    ['/a.b/..c/...', '/a.b/..c/...'],
    ['/caf\xc3\xa9', '/caf%C3%A9'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/a b|c"<>^`{}', '/a%20b%7Cc%22%3C%3E%5E%60%7B%7D'],
    ['/%20%22', '/%20%22'],
    ["/a:@!$&'()*+,=~_-[]", "/a:@!$&'()*+,=~_-[]"],
    ['/%3a%40', '/:@'],
    ['/\x80', '/%80'],
  ])('%s is compared as %s', (path, canonical) => {
    expect(canonicalPath(path)).toBe(canonical);
  });

  test.each([
    '',
    'a',
    '*',
    'http://x/a',
    '//',
    '//a',
    '/a//b',
    '/a//',
    '/.',
    '/..',
    '/./a',
    '/../a',
    '/a/.',
    '/a/..',
    '/a/../b',
    '/%2e',
    '/%2E%2e/a',
    '/.%2e/a',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a%5Cb',
    '/a\\b',
    '/a;b',
    '/..;/a',
    '/a/;x',
    '/a%3b',
    '/a%3Fb',
    '/a?b',
    '/a#b',
    '/a%23b',
    '/a%25b',
    '/a%252fb',
    '/a%',
    '/a%4',
    '/a%g0',
    '/a%0g',
    '/a%00',
    '/a%0a',
    '/a%1f',
    '/a%7f',
    '/a\0',
    '/a\t',
    '/a\n',
    '/a\r',
    '/a\x7f',
    '/%61',
    '/%41',
    '/%30',
    '/%2d',
    '/%5F',
    '/%7e',
    '/\u0100',
    '/a\u202e',
    '/%u0061',
    '/% 1',
    '/%-1',
  ])('%j is refused: two readers could take it differently', (path) => {
    expect(canonicalPath(path)).toBeUndefined();
  });

  const byte = fc.integer({ min: 0, max: 255 });
  const piece = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        '/',
        '.',
        '..',
        '%',
        '%2',
        '%2e',
        '%2F',
        '%c3%a9',
        ';',
        '\\',
        '?',
        '#',
        'a',
        'Z',
        '9',
        '*',
        ' ',
      ),
    },
    { weight: 1, arbitrary: byte.map((code) => String.fromCharCode(code)) },
    { weight: 1, arbitrary: byte.map((code) => `%${code.toString(16).padStart(2, '0')}`) },
  );
  const path = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

  test('a canonical path is its own canonical path', () => {
    fc.assert(
      fc.property(path, (text) => {
        const once = canonicalPath(text);
        if (once !== undefined) expect(canonicalPath(once)).toBe(once);
      }),
      { numRuns: 5_000 },
    );
  });

  test('a canonical path has nothing that a second reader would take for something else', () => {
    fc.assert(
      fc.property(path, (text) => {
        const canonical = canonicalPath(text);
        if (canonical === undefined) return;
        expect(canonical).toMatch(/^\/[\x21-\x7e]*$/);
        expect(canonical).not.toMatch(/\/\/|[\\;?#]/);
        expect(canonical).not.toMatch(/%(?![0-9A-F]{2})|%(?:2F|5C|25|3B|3F|23|7F|[01].)/);
        const decoded = Buffer.from(decodeBytes(canonical), 'latin1').toString('latin1');
        expect(decoded.split('/').slice(1)).toHaveLength(canonical.split('/').length - 1);
        for (const segment of decoded.split('/').slice(1)) expect(['.', '..']).not.toContain(segment);
        // Nothing is lost or gained: it stands for the same bytes.
        expect(decoded).toBe(decodeBytes(text));
      }),
      { numRuns: 5_000 },
    );
  });

  test.each(['/a', '/a/', '/%c3%a9', '/%', '/.', '\xff', ' '])('a long path of %j is read in linear time', (unit) => {
    const long = `/${unit.repeat(200_000)}`;
    const started = performance.now();
    canonicalPath(long);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

function decodeBytes(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
