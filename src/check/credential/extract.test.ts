// Which credential counts: the precedence of the design, and what is not taken for one.
import { describe, expect, test } from 'vitest';
import type { CookieName } from '../../config/config.ts';
import { request } from '../testing/request.ts';
import { type BearerReading, bearerReading, extract } from './extract.ts';

const NAMES: readonly CookieName[] = [
  { name: 'ory_kratos_session', prefix: false },
  { name: 'ory_session_', prefix: true },
];

type Given = { header?: string[]; cookie?: string[]; bearer?: string[] };

function say(
  kind: 'session' | 'token',
  reading: BearerReading,
  { header = [], cookie = [], bearer = [] }: Given,
): string {
  const found = extract(request({ sessionToken: header, cookie, authorization: bearer }), kind, reading, NAMES);
  return found.kind === 'found' ? `${found.credential.kind} ${found.credential.value}` : found.kind;
}
const session = (given: Given, reading: BearerReading = 'session') => say('session', reading, given);
const token = (given: Given, reading: BearerReading = 'token') => say('token', reading, given);

describe('a session', () => {
  const all = { header: ['h'], cookie: ['ory_kratos_session=c'], bearer: ['Bearer b'] };

  test('comes from X-Session-Token, then the cookie, then the bearer', () => {
    expect(session(all)).toBe('session_token h');
    expect(session({ ...all, header: [] })).toBe('session_cookie ory_kratos_session=c');
    expect(session({ ...all, header: [], cookie: [] })).toBe('session_token b');
    expect(session({})).toBe('absent');
  });

  test('an empty credential is absent, and the next place counts', () => {
    expect(session({ ...all, header: [''] })).toBe('session_cookie ory_kratos_session=c');
    expect(session({ ...all, header: [' \t', ','] })).toBe('session_cookie ory_kratos_session=c');
    expect(session({ ...all, header: [], cookie: ['ory_kratos_session='] })).toBe('session_token b');
    expect(session({ ...all, header: [], cookie: ['ory_kratos_session= '] })).toBe('session_token b');
    expect(session({ bearer: ['Bearer '] })).toBe('absent');
    expect(session({ bearer: ['Bearer'] })).toBe('absent');
  });

  test('a malformed credential stops at its place, as an invalid one does at Kratos', () => {
    expect(session({ ...all, header: ['a b'] })).toBe('malformed');
    expect(session({ ...all, header: [], cookie: ['ory_kratos_session="c"'] })).toBe('malformed');
  });

  test('places that this kind does not read are left alone', () => {
    expect(session({ cookie: ['ory_kratos_session=c'], bearer: ['Bearer a', 'Bearer b'] })).toBe(
      'session_cookie ory_kratos_session=c',
    );
    expect(
      token({ header: ['a', 'b'], cookie: ['ory_kratos_session=a; ory_kratos_session=b'], bearer: ['Bearer t'] }),
    ).toBe('access_token t');
  });
});

describe('two values in one place', () => {
  test.each([
    [['a', 'b'], 'ambiguous'],
    [['a,b'], 'ambiguous'],
    [['a', 'b,a'], 'ambiguous'],
    [['a', 'A'], 'ambiguous'],
    [['a', 'a'], 'session_token a'],
    [['a, a'], 'session_token a'],
    [['', 'a'], 'session_token a'],
    [['a,'], 'session_token a'],
  ])('X-Session-Token %j: %s', (header, found) => {
    expect(session({ header })).toBe(found);
  });

  test.each([
    [['Bearer a', 'Bearer b'], 'ambiguous'],
    [['Bearer a, Bearer b'], 'ambiguous'],
    [['Bearer a,b'], 'ambiguous'],
    [['Basic x', 'Bearer a'], 'ambiguous'],
    [['Bearer a', 'Basic x'], 'ambiguous'],
    [['Basic x, Bearer a'], 'ambiguous'],
    [['Bearer a', 'Bearer a'], 'access_token a'],
    [['Bearer a, Bearer a'], 'access_token a'],
    [['', 'Bearer a'], 'access_token a'],
    [['Basic x', 'Basic y'], 'absent'],
    [['Digest a="Bearer b", c=d'], 'absent'],
  ])('Authorization %j: %s', (bearer, found) => {
    expect(token({ bearer })).toBe(found);
  });

  test.each([
    [['ory_kratos_session=a; ory_kratos_session=b'], 'ambiguous'],
    [['ory_kratos_session=a', 'ory_kratos_session=b'], 'ambiguous'],
    [['ory_kratos_session=a; ory_kratos_session=a'], 'session_cookie ory_kratos_session=a'],
    [['ory_kratos_session=; ory_kratos_session=a'], 'session_cookie ory_kratos_session=a'],
    [['ory_session_x=a; ory_session_y=a'], 'ambiguous'],
    [['ory_session_x=a; ory_session_x=b'], 'ambiguous'],
    [['ory_session_x=b; ory_kratos_session=a'], 'session_cookie ory_kratos_session=a'],
  ])('Cookie %j: %s', (cookie, found) => {
    expect(session({ cookie })).toBe(found);
  });
});

describe('spellings of a bearer', () => {
  test.each([
    ['Bearer t', 'access_token t'],
    ['bearer t', 'access_token t'],
    ['BEARER t', 'access_token t'],
    ['Bearer   t \t', 'access_token t'],
    ['Bearer a-Z0._~+/=', 'access_token a-Z0._~+/='],
    ['Bearer\tt', 'absent'],
    ['Bearert', 'absent'],
    ['Bearer:t', 'absent'],
    ['Basic t', 'absent'],
    ['Bear', 'absent'],
    ['', 'absent'],
    ['Bearer a b', 'malformed'],
    ['Bearer \xa0t', 'malformed'],
    ['Bearer t\xa0', 'malformed'],
    ['Bearer "t"', 'malformed'],
    ['Bearer t;x', 'malformed'],
    ['Bearer t\0', 'malformed'],
    ['Bearer t\x0bx', 'malformed'],
    ['Bearer \xe9', 'malformed'],
  ])('%j: %s', (line, found) => {
    expect(token({ bearer: [line] })).toBe(found);
  });

  test('longer than 60 KiB is malformed as an access token, and longer than 16 KiB as a session', () => {
    const [fits, long] = ['x'.repeat(16_384), 'x'.repeat(16_385)];
    expect(token({ bearer: [`Bearer ${'x'.repeat(61_440)}`] })).toMatch(/^access_token x+$/);
    expect(token({ bearer: [`Bearer ${'x'.repeat(61_441)}`] })).toBe('malformed');
    expect(session({ header: [fits] })).toBe(`session_token ${fits}`);
    expect(session({ bearer: [`Bearer ${long}`] })).toBe('malformed');
    expect(session({ header: [long] })).toBe('malformed');
    expect(session({ cookie: [`ory_kratos_session=${long}`] })).toBe('malformed');
  });
});

describe('what a bearer is', () => {
  test.each([
    ['session', 'ory_st_x', 'session_token ory_st_x', 'absent'],
    ['session', 'a.b.c', 'session_token a.b.c', 'access_token a.b.c'],
    ['token', 'ory_st_x', 'session_token ory_st_x', 'absent'],
    ['token', 'ory_at_x', 'session_token ory_at_x', 'access_token ory_at_x'],
    ['both', 'ory_st_x', 'session_token ory_st_x', 'absent'],
    ['both', 'ory_at_x', 'absent', 'access_token ory_at_x'],
    ['both', 'a.b.c', 'absent', 'access_token a.b.c'],
    ['both', 'ORY_ST_x', 'absent', 'access_token ORY_ST_x'],
  ] as const)(
    'on a rule that takes %s, %s is %s to the session and %s to the token',
    (reading, value, asSession, asToken) => {
      expect(session({ bearer: [`Bearer ${value}`] }, reading)).toBe(asSession);
      expect(token({ bearer: [`Bearer ${value}`] }, reading)).toBe(asToken);
    },
  );

  test('follows from what the alternatives of the rule take', () => {
    expect(bearerReading([{ kind: 'session', aal: undefined, maxAgeMs: undefined }])).toBe('session');
    expect(bearerReading([{ kind: 'token', audiences: [], scopes: [], claims: [] }])).toBe('token');
    expect(
      bearerReading([
        { kind: 'token', audiences: [], scopes: [], claims: [] },
        { kind: 'session', aal: undefined, maxAgeMs: undefined },
      ]),
    ).toBe('both');
  });
});
