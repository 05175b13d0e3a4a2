// Where a login may send a browser, and where not.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { safeReturnTo } from './return-to.ts';

const base = 'http://127.0.0.1:4000';

describe('return_to', () => {
  test.each(['http://127.0.0.1:8080/a?b=c', 'https://localhost/', 'http://[::1]:3000/', 'http://app.localhost:1/'])(
    'leads to %s, which is this machine',
    (address) => {
      expect(safeReturnTo(address, base)).toBe(address);
    },
  );

  test.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\\\evil.example/',
    '\t//evil.example/',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'http://127.0.0.1.evil.example/',
    'http://evil.example/http://127.0.0.1/',
    'http://127.0.0.1@evil.example/',
    'http://localhost:80@evil.example/',
    'http://user:password@127.0.0.1/',
    'http://evil.example#@localhost/',
    'http://evil.example\\@localhost/',
    'http://localhost.evil.example/',
    'http://evillocalhost/',
  ])('does not lead to %s', (address) => {
    expect(safeReturnTo(address, base)).toBeUndefined();
  });

  test('is taken as one on the origin of Ory where it is relative', () => {
    expect(safeReturnTo('/a?b', base)).toBe(`${base}/a?b`);
    expect(safeReturnTo('', base)).toBe(`${base}/`);
  });

  test('is given back as it was judged, so that a browser cannot read it another way', () => {
    expect(safeReturnTo('http:\\\\127.0.0.1\\a', base)).toBe('http://127.0.0.1/a');
    expect(safeReturnTo('  http://127.0.0.1/\n', base)).toBe('http://127.0.0.1/');
  });

  test('whatever is let through is http to this machine and stays so when parsed again', () => {
    const part = fc.constantFrom(
      'http:',
      'https:',
      '//',
      '\\',
      '@',
      '127.0.0.1',
      'localhost',
      'evil.example',
      ':80',
      '/',
      '#',
      '?',
      '.',
      '\t',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const safe = safeReturnTo(parts.join(''), base);
        if (safe === undefined) return;
        const { protocol, hostname, username } = new URL(safe);
        expect(['http:', 'https:']).toContain(protocol);
        expect(hostname === '127.0.0.1' || /(^|\.)localhost$/.test(hostname)).toBe(true);
        expect(username).toBe('');
        expect(safeReturnTo(safe, base)).toBe(safe);
      }),
      { numRuns: 2_000 },
    );
  });
});
