// The contract of the second factor: enrolled, asked for, given, confirmed anew, taken away.
import { expect, test } from 'vitest';
import { cookieName } from './client.ts';
import { at, CookieJar, csrfToken, jsonRequest, nodeWith } from './http.ts';
import type { ContractPart, Person, PersonWithTotp, Session } from './ory.ts';
import { whoami, whoamiStatus } from './whoami.ts';

const json = { accept: 'application/json' };
const html = { accept: 'text/html' };

export const describeAal: ContractPart = (ory) => {
  const cookieOf = ({ cookie: { name, value } }: { cookie: { name: string; value: string } }) => `${name}=${value}`;

  async function call(path: string, init: RequestInit = {}, jar = new CookieJar()) {
    const headers = new Headers(init.headers);
    if (jar.header() !== '') headers.set('cookie', [headers.get('cookie'), jar.header()].filter(Boolean).join('; '));
    const url = path.startsWith('http') ? path : `${ory().kratos.publicUrl}${path}`;
    const response = await fetch(url, { redirect: 'manual', ...init, headers });
    jar.take(response);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') && text !== '';
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as unknown };
  }

  const withToken = ({ token }: Session, request: ReturnType<typeof jsonRequest>) => ({
    ...request,
    headers: { ...request.headers, 'x-session-token': token },
  });

  async function loginInBrowser(person: Person, query = '') {
    const jar = new CookieJar();
    const { body: flow } = await call(`/self-service/login/browser${query}`, { headers: json }, jar);
    const given = { method: 'password', identifier: person.email, password: person.password };
    const answer = await call(
      String(at(flow, 'ui', 'action')),
      jsonRequest('POST', { ...given, csrf_token: csrfToken(flow) }),
      jar,
    );
    return { jar, answer };
  }

  const secondFactorUrl = () => `${ory().kratos.publicUrl}/self-service/login/browser?aal=aal2`;

  test('whoami answers 403 to half a login, with where to give the second factor', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    const browser = await ory().loginBrowser(person);
    for (const header of [
      ['X-Session-Token', session.token],
      ['Cookie', cookieOf(browser)],
    ] as const) {
      const { status, headers, body } = await whoami(ory(), [header]);
      expect(status).toBe(403);
      expect(headers['x-kratos-authenticated-identity-id']).toBeUndefined();
      expect(body).toEqual({
        error: {
          id: 'session_aal2_required',
          code: 403,
          status: 'Forbidden',
          reason: expect.any(String),
          message: expect.any(String),
          details: { redirect_browser_to: secondFactorUrl() },
        },
        redirect_browser_to: secondFactorUrl(),
      });
    }
  });

  test('the second factor makes the same session aal2', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    await ory().stepUp(person, session);
    const { status, body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: session.id,
      authenticator_assurance_level: 'aal2',
      authentication_methods: [
        { method: 'password', aal: 'aal1' },
        { method: 'totp', aal: 'aal2' },
      ],
    });
    const browser = await ory().loginBrowser(person, { aal: 'aal2' });
    expect(at((await whoami(ory(), [['Cookie', cookieOf(browser)]])).body, 'authenticator_assurance_level')).toBe(
      'aal2',
    );
  });

  test('a script that logs in is told where the second factor is asked for, return_to included', async () => {
    const person = await ory().createPersonWithTotp();
    const returnTo = `${ory().kratos.publicUrl}/welcome?a=b`;
    const { answer } = await loginInBrowser(person, `?return_to=${encodeURIComponent(returnTo)}`);
    expect(answer.status).toBe(422);
    expect(at(answer.body, 'error', 'id')).toBe('browser_location_change_required');
    const target = new URL(String(at(answer.body, 'redirect_browser_to')));
    expect(`${target.origin}${target.pathname}`).toBe(`${ory().kratos.publicUrl}/self-service/login/browser`);
    expect(Object.fromEntries(target.searchParams)).toEqual({ aal: 'aal2', return_to: returnTo });
  });

  test('a browser goes from the password to the code and on to return_to', async () => {
    const person = await ory().createPersonWithTotp();
    const jar = new CookieJar();
    const returnTo = `${ory().kratos.publicUrl}/welcome?a=b`;
    const { body: first } = await call(
      `/self-service/login/browser?return_to=${encodeURIComponent(returnTo)}`,
      { headers: json },
      jar,
    );
    const form = (flow: unknown, fields: Record<string, string>) => ({
      method: 'POST',
      headers: html,
      body: new URLSearchParams({ ...fields, csrf_token: csrfToken(flow) }),
    });
    const password = { method: 'password', identifier: person.email, password: person.password };
    const half = await call(String(at(first, 'ui', 'action')), form(first, password), jar);
    expect(half.status).toBe(303);
    const next = String(half.headers.get('location'));
    expect(next).toContain('aal=aal2');
    const page = await call(next, { headers: html }, jar);
    expect(page.status).toBe(303);
    expect(page.headers.get('location')).toMatch(/\/login\?flow=[0-9a-f-]{36}$/);

    const id = new URL(String(page.headers.get('location'))).searchParams.get('flow');
    const { body: second } = await call(`/self-service/login/flows?id=${id}`, { headers: json }, jar);
    const wrong = await call(
      String(at(second, 'ui', 'action')),
      form(second, { method: 'totp', totp_code: '000000' }),
      jar,
    );
    expect([wrong.status, wrong.headers.get('location')]).toEqual([303, expect.stringContaining(`/login?flow=${id}`)]);
    expect(await whoamiStatus(ory(), ['Cookie', jar.header()])).toBe(403);
    const code = { method: 'totp', totp_code: ory().totpCode(person) };
    const done = await call(String(at(second, 'ui', 'action')), form(second, code), jar);
    expect([done.status, done.headers.get('location')]).toEqual([303, returnTo]);
    expect(await whoamiStatus(ory(), ['Cookie', jar.header()])).toBe(200);
  });

  test('the flow of the second factor has a field for the code and says why', async () => {
    const person = await ory().createPersonWithTotp();
    const { jar } = await loginInBrowser(person);
    const { status, body } = await call('/self-service/login/browser?aal=aal2', { headers: json }, jar);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      requested_aal: 'aal2',
      refresh: false,
      ui: { messages: [{ id: 1010004, type: 'info', text: expect.any(String) }] },
    });
    expect(nodeWith(body, 'name', 'totp_code')).toMatchObject({
      type: 'input',
      group: 'totp',
      attributes: { type: 'text', required: true, disabled: false, node_type: 'input' },
      messages: [],
      meta: { label: { id: 1010006 } },
    });
    expect(nodeWith(body, 'name', 'method')).toMatchObject({ group: 'totp', attributes: { value: 'totp' } });
    expect(nodeWith(body, 'name', 'password')).toBeUndefined();
  });

  test('a wrong code is 400 with the flow, a missing one names the field', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    const { body: flow } = await call('/self-service/login/api?aal=aal2', {
      headers: { ...json, 'x-session-token': session.token },
    });
    const action = String(at(flow, 'ui', 'action'));
    const give = (body: Record<string, string>) => call(action, withToken(session, jsonRequest('POST', body)));
    const wrong = await give({ method: 'totp', totp_code: '000000' });
    expect(wrong.status).toBe(400);
    expect(wrong.body).toMatchObject({ id: at(flow, 'id'), ui: { messages: [{ id: 4000008, type: 'error' }] } });
    const missing = await give({ method: 'totp' });
    expect(missing.status).toBe(400);
    expect(at(nodeWith(missing.body, 'name', 'totp_code'), 'messages')).toMatchObject([{ id: 4000002 }]);
    const password = await give({ method: 'password', identifier: person.email, password: person.password });
    expect(password.status).toBe(400);
    expect(await whoamiStatus(ory(), ['X-Session-Token', session.token])).toBe(403);
  });

  test('there is no second factor without a first', async () => {
    const api = await call('/self-service/login/api?aal=aal2', { headers: json });
    const browser = await call('/self-service/login/browser?aal=aal2', { headers: json });
    for (const { status, body } of [api, browser]) {
      expect(status).toBe(401);
      expect(at(body, 'error', 'id')).toBe('session_aal1_required');
    }
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    const { body: flow } = await call('/self-service/login/api?aal=aal2', {
      headers: { ...json, 'x-session-token': session.token },
    });
    const code = jsonRequest('POST', { method: 'totp', totp_code: ory().totpCode(person) });
    expect((await call(String(at(flow, 'ui', 'action')), code)).status).toBe(401);
    expect(await whoamiStatus(ory(), ['X-Session-Token', session.token])).toBe(403);
  });

  test('one person’s code is worth nothing in the session of another', async () => {
    const [mine, other] = [await ory().createPersonWithTotp(), await ory().createPersonWithTotp()];
    const session = await ory().login(mine);
    await expect(ory().stepUp({ ...mine, totpSecret: other.totpSecret }, session)).rejects.toThrow('400');
    expect(await whoamiStatus(ory(), ['X-Session-Token', session.token])).toBe(403);
  });

  test('an unknown level is refused', async () => {
    expect((await call('/self-service/login/api?aal=aal9', { headers: json })).status).toBe(400);
  });

  test('who has given both is not asked again', async () => {
    const person = await ory().createPersonWithTotp();
    const cookie = cookieOf(await ory().loginBrowser(person, { aal: 'aal2' }));
    const { status, body } = await call('/self-service/login/browser?aal=aal2', { headers: { ...json, cookie } });
    expect(status).toBe(400);
    expect(at(body, 'error', 'id')).toBe('session_already_available');
  });

  test('a refresh asks for the password of who is logged in, and keeps session and level', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    await ory().stepUp(person, session);
    const before = await whoami(ory(), [['X-Session-Token', session.token]]);
    const { body: flow } = await call('/self-service/login/api?refresh=true', {
      headers: { ...json, 'x-session-token': session.token },
    });
    expect(flow).toMatchObject({ refresh: true, requested_aal: 'aal1', ui: { messages: [{ id: 1010003 }] } });
    expect(nodeWith(flow, 'name', 'identifier')).toMatchObject({
      attributes: { type: 'hidden', value: person.email },
    });
    const given = { method: 'password', identifier: person.email, password: person.password };
    const answer = await call(String(at(flow, 'ui', 'action')), withToken(session, jsonRequest('POST', given)));
    expect(answer.status).toBe(200);
    expect(at(answer.body, 'session_token')).toBe(session.token);
    const after = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(after.body).toMatchObject({ id: session.id, authenticator_assurance_level: 'aal2' });
    expect(Date.parse(String(at(after.body, 'authenticated_at')))).toBeGreaterThan(
      Date.parse(String(at(before.body, 'authenticated_at'))),
    );
  });

  /** In a browser, by a form, as `query` asks: where that leads, and what whoami says before and after. */
  async function again(cookie: string, query: string, given: Record<string, string>) {
    const jar = new CookieJar();
    jar.set(cookieName, cookie);
    const see = async () => (await whoami(ory(), [['Cookie', jar.header()]])).body;
    const before = await see();
    const returnTo = `${ory().kratos.publicUrl}/welcome?a=b`;
    const path = `/self-service/login/browser?${query}&return_to=${encodeURIComponent(returnTo)}`;
    const { body: flow } = await call(path, { headers: json }, jar);
    const form = new URLSearchParams({ ...given, csrf_token: csrfToken(flow) });
    const done = await call(String(at(flow, 'ui', 'action')), { method: 'POST', headers: html, body: form }, jar);
    expect([done.status, done.headers.get('location')]).toEqual([303, returnTo]);
    return {
      flow,
      before,
      after: await see(),
      old: (await whoami(ory(), [['Cookie', `${cookieName}=${cookie}`]])).body,
    };
  }

  const passwordOf = (person: Person) => ({ method: 'password', identifier: person.email, password: person.password });
  const codeOf = (person: PersonWithTotp) => ({ method: 'totp', totp_code: ory().totpCode(person) });
  const loggedInAt = (session: unknown) => Date.parse(String(at(session, 'authenticated_at')));

  test.each([
    ['refresh=true', 'aal1', passwordOf],
    ['refresh=true&aal=aal2', 'aal2', codeOf],
  ])(
    '%s in a browser keeps session and level and renews authenticated_at, also for the old cookie',
    async (query, aal, give) => {
      const person = await ory().createPersonWithTotp();
      const { cookie } = await ory().loginBrowser(person, { aal: 'aal2' });
      const { flow, before, after, old } = await again(cookie.value, query, give(person));
      expect(flow).toMatchObject({ refresh: true, requested_aal: aal, ui: { messages: [{ id: 1010003 }] } });
      expect(after).toMatchObject({
        id: at(before, 'id'),
        issued_at: at(before, 'issued_at'),
        authenticator_assurance_level: 'aal2',
      });
      expect(loggedInAt(after)).toBeGreaterThan(loggedInAt(before));
      expect(at(old, 'authenticated_at')).toBe(at(after, 'authenticated_at'));
    },
  );

  test('a refresh at aal2 asks for the second factor and takes nothing else', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    await ory().stepUp(person, session);
    const headers = { ...json, 'x-session-token': session.token };
    const { body: flow } = await call('/self-service/login/api?refresh=true&aal=aal2', { headers });
    expect(nodeWith(flow, 'name', 'totp_code')).toBeDefined();
    expect(nodeWith(flow, 'name', 'password')).toBeUndefined();
    const give = (given: object) =>
      call(String(at(flow, 'ui', 'action')), withToken(session, jsonRequest('POST', given)));
    const before = (await whoami(ory(), [['X-Session-Token', session.token]])).body;
    expect((await give(passwordOf(person))).status).toBe(400);
    expect((await whoami(ory(), [['X-Session-Token', session.token]])).body).toEqual(before);
    const answer = await give(codeOf(person));
    expect([answer.status, at(answer.body, 'session_token')]).toEqual([200, session.token]);
    expect(loggedInAt((await whoami(ory(), [['X-Session-Token', session.token]])).body)).toBeGreaterThan(
      loggedInAt(before),
    );
  });

  test('a refresh at aal2 of half a login makes it whole, and says both', async () => {
    const person = await ory().createPersonWithTotp();
    const { cookie } = await ory().loginBrowser(person);
    const { flow, after } = await again(cookie.value, 'refresh=true&aal=aal2', codeOf(person));
    expect(flow).toMatchObject({ ui: { messages: [{ id: 1010003 }, { id: 1010004 }] } });
    expect(at(after, 'authenticator_assurance_level')).toBe('aal2');
  });

  test.each(['aal=aal2', 'refresh=true&aal=aal2'])(
    '%s of whoever has no second factor is a form without a field',
    async (query) => {
      const person = await ory().createPerson();
      const cookie = cookieOf(await ory().loginBrowser(person));
      const { status, body } = await call(`/self-service/login/browser?${query}`, { headers: { ...json, cookie } });
      expect([status, at(body, 'requested_aal')]).toEqual([200, 'aal2']);
      const nodes = at(body, 'ui', 'nodes') as unknown[];
      expect(nodes.map((node) => at(node, 'attributes', 'name'))).toEqual(['csrf_token']);
    },
  );

  test('a refresh without a session is a login like any other, at aal2 it is refused', async () => {
    const { status, body } = await call('/self-service/login/browser?refresh=true', { headers: json });
    expect([status, at(body, 'refresh'), at(body, 'ui', 'messages')]).toEqual([200, false, undefined]);
    const second = await call('/self-service/login/browser?refresh=true&aal=aal2', { headers: json });
    expect([second.status, at(second.body, 'error', 'id')]).toEqual([401, 'session_aal1_required']);
  });

  test.each([
    ['1', 200],
    ['t', 200],
    ['TRUE', 200],
    ['tRUE', 400],
    ['yes', 400],
    ['', 400],
  ])('refresh=%s of who is logged in is %d', async (value, status) => {
    const cookie = cookieOf(await ory().loginBrowser(await ory().createPerson()));
    const answer = await call(`/self-service/login/browser?refresh=${value}`, { headers: { ...json, cookie } });
    expect(answer.status).toBe(status);
  });

  test('of two return_to the first counts', async () => {
    const [one, two] = ['one', 'two'].map((path) => encodeURIComponent(`${ory().kratos.publicUrl}/${path}`));
    const query = `return_to=${one}&return_to=${two}`;
    const { body } = await call(`/self-service/login/browser?${query}`, { headers: json });
    expect(at(body, 'return_to')).toBe(`${ory().kratos.publicUrl}/one`);
  });

  test('a refresh as somebody else is a session of that person’s own', async () => {
    const [mine, other] = [await ory().createPerson(), await ory().createPerson()];
    const session = await ory().login(mine);
    const { body: flow } = await call('/self-service/login/api?refresh=true', {
      headers: { ...json, 'x-session-token': session.token },
    });
    const given = { method: 'password', identifier: other.email, password: other.password };
    const answer = await call(String(at(flow, 'ui', 'action')), withToken(session, jsonRequest('POST', given)));
    expect(answer.status).toBe(200);
    expect(at(answer.body, 'session', 'id')).not.toBe(session.id);
    const seen = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(at(seen.body, 'identity', 'id')).toBe(mine.id);
  });
};

/** The same, where the server asks for aal1 alone. */
export const describeAal1Enough: ContractPart = (ory) => {
  test('a password is enough for whoami although there is a second factor', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    const { status, body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect([status, at(body, 'authenticator_assurance_level')]).toEqual([200, 'aal1']);
    await ory().stepUp(person, session);
    const after = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(at(after.body, 'authenticator_assurance_level')).toBe('aal2');
  });
};
