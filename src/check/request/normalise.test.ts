// What a rule is matched on.
import { describe, expect, test } from 'vitest';
import { request } from '../testing/request.ts';
import { normalise } from './normalise.ts';

describe('the host', () => {
  test.each([
    ['app.example', 'app.example'],
    ['APP.Example', 'app.example'],
    ['app.example:8080', 'app.example'],
    ['app.example.', 'app.example'],
    ['app.example.:443', 'app.example'],
    ['app.example:', 'app.example'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[::1]:80', '[::1]'],
    ['[2001:DB8::1]:80', '[2001:db8::1]'],
  ])('%s is %s', (host, canonical) => {
    expect(normalise(request({ host }))?.host).toBe(canonical);
  });

  test.each([
    undefined,
    '',
    '.',
    ':80',
    'a b',
    'a,b',
    'a, b',
    'u@a',
    'a/b',
    'a\\b',
    'a\0',
    'a\xe9',
    'a:b',
    'a:80:80',
    '::1',
    'a:80b',
    'a:-1',
    '[::1',
    '[::1]80',
    '[::1]:x',
    '[::1]x',
    'x'.repeat(61_441),
    // What applications decode or fold would be another host to them.
    'admin%2eacme.com',
    '%61dmin.acme.com',
    'a;b',
    "a!~*'",
    'a..',
    '.a',
    'a..b',
    '[]',
    '[x]',
  ])('%j has no one reading', (host) => {
    expect(normalise(request({ host }))).toBeUndefined();
  });
});

describe('the path', () => {
  test('is compared in its canonical form, without the query', () => {
    expect(normalise(request({ path: '/caf%c3%a9', query: '?x=/../a' }))?.path).toBe('/caf%C3%A9');
  });

  test.each(['', '*', 'a', 'http://a/b', '//a', '/a/..', '/a%2fb', `/${'a'.repeat(61_440)}`])(
    '%j is refused',
    (path) => {
      expect(normalise(request({ path }))).toBeUndefined();
    },
  );
});

describe('the method', () => {
  test.each(['GET', 'VERSION-CONTROL', 'M-SEARCH', 'ANYTHING'])('%s is one', (method) => {
    expect(normalise(request({ method }))?.method).toBe(method);
  });

  test.each(['', 'get', 'Delete', 'dELETE', 'GET ', ' GET', 'GET\n', '-GET', 'GET-', 'A--B', 'G_T', 'GÉT', 'M1'])(
    'an application could take %j for another',
    (method) => {
      expect(normalise(request({ method }))).toBeUndefined();
    },
  );
});
