// The contract of `/sessions/whoami`: which credential counts, and what the answers look like.
import { beforeAll, expect, test } from 'vitest';
import { at } from './http.ts';
import type { BrowserSession, ContractPart, Person, Session } from './ory.ts';
import { type RawHeader, whoami, whoamiStatus } from './whoami.ts';

const identityHeader = 'x-kratos-authenticated-identity-id';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export const describeWhoami: ContractPart = (ory) => {
  let person: Person;
  let session: Session;
  let browser: BrowserSession;
  let token: (value?: string) => RawHeader;
  let bearer: (value?: string) => RawHeader;
  let cookie: (...values: string[]) => RawHeader;

  beforeAll(async () => {
    person = await ory().createPerson({ name: { first: 'Ada', last: 'Löve "%41" 東京' } });
    session = await ory().login(person);
    browser = await ory().loginBrowser(person);
    const { name, value: good } = browser.cookie;
    token = (value = session.token) => ['X-Session-Token', value];
    bearer = (value = session.token) => ['Authorization', `Bearer ${value}`];
    cookie = (...values) => ['Cookie', (values.length > 0 ? values : [good]).map((v) => `${name}=${v}`).join('; ')];
  });

  test('answers 200 to a session token, with the session and its identity', async () => {
    const { status, headers, body } = await whoami(ory(), [token()]);
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(headers['cache-control']).toContain('no-store');
    expect(headers[identityHeader]).toBe(person.id);
    expect(headers['set-cookie']).toBeUndefined();
    expect(body).toMatchObject({
      id: session.id,
      active: true,
      expires_at: expect.stringMatching(time),
      authenticated_at: expect.stringMatching(time),
      issued_at: expect.stringMatching(time),
      authenticator_assurance_level: 'aal1',
      authentication_methods: [{ method: 'password', aal: 'aal1', completed_at: expect.stringMatching(time) }],
      identity: {
        id: person.id,
        schema_id: 'person',
        schema_url: expect.stringMatching(/^http/),
        state: 'active',
        traits: { email: person.email, name: { first: 'Ada', last: 'Löve "%41" 東京' } },
        metadata_public: null,
        verifiable_addresses: [{ value: person.email, verified: false, via: 'email', status: 'pending' }],
      },
      devices: [{ id: expect.stringMatching(uuid), ip_address: expect.any(String) }],
    });
    expect(Date.parse(String(at(body, 'expires_at')))).toBeGreaterThan(Date.now());
    expect(at(body, 'identity', 'credentials')).toBeUndefined();
  });

  test('gives sessions a UUID and tokens the prefix ory_st_', () => {
    expect(session.id).toMatch(uuid);
    expect(browser.id).toMatch(uuid);
    expect(session.token).toMatch(/^ory_st_[A-Za-z0-9]{32}$/);
  });

  test('answers 200 to a session cookie, with that session', async () => {
    const { status, headers, body } = await whoami(ory(), [cookie()]);
    expect(status).toBe(200);
    expect(headers[identityHeader]).toBe(person.id);
    expect(at(body, 'id')).toBe(browser.id);
  });

  test('takes a session token as a bearer, whatever the case of the scheme', async () => {
    expect(await whoamiStatus(ory(), bearer())).toBe(200);
    expect(await whoamiStatus(ory(), ['Authorization', `bearer ${session.token}`])).toBe(200);
    expect(await whoamiStatus(ory(), ['Authorization', `BEARER ${session.token}`])).toBe(200);
  });

  test('takes nothing but one bearer from Authorization', async () => {
    for (const value of [`Bearer  ${session.token}`, `Basic ${session.token}`, session.token, 'Bearer', 'Bearer ']) {
      expect([value, await whoamiStatus(ory(), ['Authorization', value])]).toEqual([value, 401]);
    }
  });

  test('answers 401 without a credential: no id of the error, no identity, no redirect', async () => {
    const { status, headers, body } = await whoami(ory());
    expect(status).toBe(401);
    expect(headers['content-type']).toBe('application/json');
    expect(headers[identityHeader]).toBeUndefined();
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['location']).toBeUndefined();
    expect(body).toEqual({
      error: { code: 401, status: 'Unauthorized', reason: expect.any(String), message: expect.any(String) },
    });
  });

  test('answers 401 to garbage in every place', async () => {
    const garbage: RawHeader[] = [token('garbage'), token('ory_st_garbage'), bearer('garbage'), cookie('garbage')];
    for (const header of garbage) expect([header, await whoamiStatus(ory(), header)]).toEqual([header, 401]);
  });

  test('does not take a credential of one kind in the place of another', async () => {
    const { value } = browser.cookie;
    for (const header of [token(value), bearer(value), cookie(session.token)]) {
      expect(await whoamiStatus(ory(), header)).toBe(401);
    }
  });

  test('answers HEAD as GET, without a body', async () => {
    expect(await whoami(ory(), [token()], 'HEAD')).toMatchObject({ status: 200, body: undefined });
    expect(await whoami(ory(), [], 'HEAD')).toMatchObject({ status: 401, body: undefined });
  });

  test('prefers X-Session-Token to the cookie, and the cookie to the bearer', async () => {
    expect(at((await whoami(ory(), [token(), cookie()])).body, 'id')).toBe(session.id);
    expect(at((await whoami(ory(), [cookie(), bearer()])).body, 'id')).toBe(browser.id);
  });

  test('lets a bad X-Session-Token mask a good cookie and a good bearer', async () => {
    expect(await whoamiStatus(ory(), token('garbage'), cookie())).toBe(401);
    expect(await whoamiStatus(ory(), token('garbage'), bearer())).toBe(401);
  });

  test('lets a good cookie mask a bad bearer', async () => {
    expect(await whoamiStatus(ory(), cookie(), bearer('garbage'))).toBe(200);
  });

  test('takes an empty X-Session-Token for none', async () => {
    expect(await whoamiStatus(ory(), token(''))).toBe(401);
    expect(await whoamiStatus(ory(), token(''), cookie())).toBe(200);
    expect(await whoamiStatus(ory(), token(''), bearer())).toBe(200);
  });

  test('takes the first of two X-Session-Token, even where it is empty', async () => {
    expect(await whoamiStatus(ory(), token(), token('garbage'))).toBe(200);
    expect(await whoamiStatus(ory(), token('garbage'), token())).toBe(401);
    expect(await whoamiStatus(ory(), token(''), token())).toBe(401);
  });

  test('takes the first of two session cookies that decodes', async () => {
    const second = await ory().loginBrowser(person);
    const { value } = browser.cookie;
    expect(at((await whoami(ory(), [cookie('garbage', value)])).body, 'id')).toBe(browser.id);
    expect(at((await whoami(ory(), [cookie(value, 'garbage')])).body, 'id')).toBe(browser.id);
    expect(at((await whoami(ory(), [cookie(value, second.cookie.value)])).body, 'id')).toBe(browser.id);
    expect(at((await whoami(ory(), [cookie(second.cookie.value, value)])).body, 'id')).toBe(second.id);
  });

  test('takes a session cookie in quotes and among others', async () => {
    const { name, value } = browser.cookie;
    expect(await whoamiStatus(ory(), ['Cookie', `a=b; ${name}="${value}"; c=d`])).toBe(200);
  });

  test('fails with 500, identity header included, where an undecodable cookie comes with a good token', async () => {
    for (const other of [token(), bearer()]) {
      for (const bad of ['garbage', '']) {
        const { status, headers } = await whoami(ory(), [cookie(bad), other]);
        expect([bad, status]).toEqual([bad, 500]);
        expect(headers[identityHeader]).toBe(person.id);
      }
    }
  });

  test('ignores X-Session-Cookie', async () => {
    expect(await whoamiStatus(ory(), ['X-Session-Cookie', browser.cookie.value])).toBe(401);
    expect(await whoamiStatus(ory(), ['X-Session-Cookie', 'garbage'], cookie())).toBe(200);
  });
};
