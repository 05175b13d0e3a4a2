// The guard against a login that leads back to the same denial.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { request } from '../testing/request.ts';
import { arrived, bounce } from './login-loop.ts';

const HTTPS = 'https://app.example';
const START = 1_800_000_000_000;

/** A browser that keeps the one cookie, and is sent away from each URL at its moment. */
function visits(steps: readonly (readonly [url: string, atSeconds: number])[], publicUrl = HTTPS): string[] {
  let jar: string[] = [];
  return steps.map(([url, atSeconds]) => {
    const { kind, setCookie } = bounce(request({ cookie: jar }), url, publicUrl, START + atSeconds * 1_000);
    const pair = setCookie.split(';', 1)[0] ?? '';
    jar = setCookie.includes('Max-Age=0') ? [] : [`other=1; ${pair}`];
    return kind;
  });
}

describe('a browser that is sent to the login', () => {
  test('is told why not the third time within a minute, and sent again after that', () => {
    const here = `${HTTPS}/a`;
    expect(visits([0, 10, 59, 59, 59].map((at) => [here, at] as const))).toEqual([
      'send',
      'send',
      'loop',
      'send',
      'send',
    ]);
  });

  test('is sent again once the minute is over', () => {
    expect(visits([0, 10, 60, 61].map((at) => [HTTPS, at] as const))).toEqual(['send', 'send', 'send', 'send']);
  });

  test('may open many tabs at once', () => {
    expect(visits(['/a', '/b', '/c', '/d', '/e', '/f'].map((url) => [url, 0] as const))).toEqual(Array(6).fill('send'));
  });

  test('carries a cookie that does not grow with the pages it wants', () => {
    let jar: string[] = [];
    for (let i = 0; i < 50; i++) {
      const { setCookie } = bounce(request({ cookie: jar }), `${HTTPS}/${i}`, HTTPS, START);
      jar = [setCookie.split(';', 1)[0] ?? ''];
    }
    expect(jar[0]?.split('~')).toHaveLength(4);
  });

  test('is caught in several tabs that all turn in circles', () => {
    const kinds = visits(['/a', '/b', '/a', '/b', '/a', '/b'].map((url) => [url, 1] as const));
    expect(kinds).toEqual(['send', 'send', 'send', 'send', 'loop', 'loop']);
  });

  test('has a cookie that no sibling domain can write, where there is https', () => {
    const cookie = (publicUrl: string) => bounce(request(), publicUrl, publicUrl, START).setCookie;
    expect(cookie(HTTPS)).toMatch(
      /^__Host-ory_envoy_login=[^;]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax; Secure$/,
    );
    expect(cookie('http://127.0.0.1:8080')).toMatch(
      /^ory_envoy_login=[^;]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/,
    );
    const foreign = request({ cookie: ['ory_envoy_login=aaaaaaaa.9.1800000000'] });
    expect(arrived(foreign, HTTPS)).toBeUndefined();
  });
});

test.each([
  ['a name that begins with what no blank is', '\xa0__Host-ory_envoy_login=KEY.2.SINCE'],
  ['a second cookie of the name', '__Host-ory_envoy_login=KEY.2.SINCE; __Host-ory_envoy_login=KEY.1.SINCE'],
])('a count by %s is not believed', (_, cookie) => {
  const { setCookie } = bounce(request(), HTTPS, HTTPS, START);
  const [, key = '', since = ''] = /=([\w-]{8})\.1\.(\d+)/.exec(setCookie) ?? [];
  const forged = (text: string) => request({ cookie: [text.replaceAll('KEY', key).replaceAll('SINCE', since)] });
  expect(bounce(forged('__Host-ory_envoy_login=KEY.2.SINCE'), HTTPS, HTTPS, START).kind).toBe('loop');
  expect(bounce(forged(cookie), HTTPS, HTTPS, START).kind).toBe('send');
});

test('whoever has arrived is counted no more', () => {
  const { setCookie } = bounce(request(), HTTPS, HTTPS, START);
  expect(arrived(request(), HTTPS)).toBeUndefined();
  expect(arrived(request({ cookie: [setCookie.split(';', 1)[0] ?? ''] }), HTTPS)).toMatch(/=; Path=\/; Max-Age=0;/);
});

test('whatever a client writes into the cookie, the answer is a cookie of ours', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (value) => {
      const { setCookie } = bounce(request({ cookie: [`__Host-ory_envoy_login=${value}`] }), HTTPS, HTTPS, START);
      expect(setCookie).toMatch(
        /^__Host-ory_envoy_login=[\w.~-]{0,200}; Path=\/; Max-Age=(60|0); HttpOnly; SameSite=Lax; Secure$/,
      );
    }),
  );
});

test('a cookie header full of blanks is read in one pass', () => {
  const blanks = (count: number) => ({ cookie: [`a=${' '.repeat(count)}x`] });
  const started = performance.now();
  bounce(request(blanks(60_000)), `${HTTPS}/`, HTTPS, START);
  arrived(request(blanks(60_000)), HTTPS);
  // In the square it was five seconds.
  expect(performance.now() - started).toBeLessThan(1_000);
});
