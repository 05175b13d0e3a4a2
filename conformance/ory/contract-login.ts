// The contract of login and logout, for programs and for browsers.
import { beforeAll, expect, test } from 'vitest';
import { cookieName } from './client.ts';
import { at, CookieJar, csrfToken, jsonRequest } from './http.ts';
import type { ContractPart, Person } from './ory.ts';
import { whoami, whoamiStatus } from './whoami.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

const html = { accept: 'text/html,application/xhtml+xml' };
const json = { accept: 'application/json' };

export const describeLogin: ContractPart = (ory) => {
  let person: Person;

  beforeAll(async () => {
    person = await ory().createPerson();
  });

  async function call(path: string, init: RequestInit = {}, jar = new CookieJar()): Promise<Answer> {
    const headers = new Headers(init.headers);
    if (jar.header() !== '') headers.set('cookie', jar.header());
    const response = await fetch(`${ory().kratos.publicUrl}${path}`, { redirect: 'manual', ...init, headers });
    jar.take(response);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') && text !== '';
    const body: unknown = isJson ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, body };
  }

  const attempt = (flow: unknown, given: Record<string, unknown> = {}, jar?: CookieJar) => {
    const body = { method: 'password', identifier: person.email, password: person.password, ...given };
    return call(`/self-service/login?flow=${at(flow, 'id')}`, jsonRequest('POST', body), jar);
  };

  async function begin(jar: CookieJar, query = ''): Promise<unknown> {
    const { status, body } = await call(`/self-service/login/browser${query}`, { headers: json }, jar);
    expect(status).toBe(200);
    return body;
  }

  test('a flow says what to send where', async () => {
    for (const [path, type] of [
      ['/self-service/login/api', 'api'] as const,
      ['/self-service/login/browser', 'browser'] as const,
    ]) {
      const { status, body } = await call(path, { headers: json });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        id: expect.any(String),
        type,
        expires_at: expect.any(String),
        ui: { action: `${ory().kratos.publicUrl}/self-service/login?flow=${at(body, 'id')}`, method: 'POST' },
        requested_aal: 'aal1',
        state: 'choose_method',
      });
      expect(csrfToken(body) === '').toBe(type === 'api');
    }
  });

  test('the API flow answers with a session token and the session that whoami knows', async () => {
    const { body: flow } = await call('/self-service/login/api', { headers: json });
    const { status, headers, body } = await attempt(flow);
    expect(status).toBe(200);
    expect(headers.getSetCookie().filter((line) => line.startsWith(cookieName))).toEqual([]);
    const seen = await whoami(ory(), [['X-Session-Token', String(at(body, 'session_token'))]]);
    expect(at(seen.body, 'id')).toBe(at(body, 'session', 'id'));
  });

  test('the identifier is matched whatever its case', async () => {
    const { body: flow } = await call('/self-service/login/api', { headers: json });
    expect((await attempt(flow, { identifier: person.email.toUpperCase() })).status).toBe(200);
  });

  test('a wrong password and an unknown person get the same 400, with the flow to try again', async () => {
    const { body: flow } = await call('/self-service/login/api', { headers: json });
    for (const given of [{ password: 'wrong' }, { identifier: 'nobody@example.com' }]) {
      const { status, body } = await attempt(flow, given);
      expect(status).toBe(400);
      expect(body).toMatchObject({ id: at(flow, 'id'), ui: { messages: [{ id: 4000006, type: 'error' }] } });
      expect(at(body, 'session_token')).toBeUndefined();
    }
    expect((await attempt(flow)).status).toBe(200);
  });

  test('an inactive person cannot log in', async () => {
    const inactive = await ory().createPerson();
    await ory().setPersonState(inactive.id, 'inactive');
    const { body: flow } = await call('/self-service/login/api', { headers: json });
    const { status, body } = await attempt(flow, { identifier: inactive.email, password: inactive.password });
    expect(status).toBe(401);
    expect(body).toMatchObject({ error: { code: 401, message: 'identity is disabled' } });
  });

  test('a flow that never was is 404, none at all 400', async () => {
    expect((await attempt({ id: crypto.randomUUID() })).status).toBe(404);
    expect((await call('/self-service/login', jsonRequest('POST', { method: 'password' }))).status).toBe(400);
  });

  test('the browser flow sets a cookie that no script can read', async () => {
    const jar = new CookieJar();
    const flow = await begin(jar);
    const { status, headers, body } = await attempt(flow, { csrf_token: csrfToken(flow) }, jar);
    expect(status).toBe(200);
    expect(at(body, 'session_token')).toBeUndefined();
    const line = headers.getSetCookie().find((cookie) => cookie.startsWith(`${cookieName}=`));
    for (const attribute of [/; Path=\//i, /; HttpOnly/i, /; SameSite=Lax/i, /; Max-Age=\d+/i])
      expect(line).toMatch(attribute);
    expect(line).not.toMatch(/; Domain=/i);
    expect(at((await whoami(ory(), [['Cookie', jar.header()]])).body, 'id')).toBe(at(body, 'session', 'id'));
  });

  test('the browser flow refuses a login without its csrf cookie or with another csrf token', async () => {
    const jar = new CookieJar();
    const flow = await begin(jar);
    const foreign = await begin(new CookieJar());
    const answers = [
      await attempt(flow, { csrf_token: csrfToken(flow) }),
      await attempt(flow, {}, jar),
      await attempt(flow, { csrf_token: 'garbage' }, jar),
      await attempt(flow, { csrf_token: csrfToken(foreign) }, jar),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(403);
      expect(at(body, 'error', 'id')).toBe('security_csrf_violation');
    }
    expect(jar.get(cookieName)).toBeUndefined();
  });

  test('a flow is shown to the browser that began it alone', async () => {
    const jar = new CookieJar();
    const path = `/self-service/login/flows?id=${at(await begin(jar), 'id')}`;
    expect((await call(path, { headers: json }, jar)).status).toBe(200);
    const other = new CookieJar();
    await begin(other);
    for (const foreign of [other, new CookieJar()]) {
      const { status, body } = await call(path, { headers: json }, foreign);
      expect([status, at(body, 'error', 'id')]).toEqual([403, 'security_csrf_violation']);
    }
    expect((await call(`/self-service/login/flows?id=${crypto.randomUUID()}`, { headers: json })).status).toBe(404);
  });

  test('who is logged in is not asked again', async () => {
    const { name, value } = (await ory().loginBrowser(person)).cookie;
    const cookie = `${name}=${value}`;
    const scripted = await call('/self-service/login/browser', { headers: { ...json, cookie } });
    expect(scripted.status).toBe(400);
    expect(at(scripted.body, 'error', 'id')).toBe('session_already_available');
    const navigated = await call('/self-service/login/browser', { headers: { ...html, cookie } });
    expect(navigated.status).toBe(303);
    expect(navigated.headers.get('location')).toBe(`${ory().kratos.publicUrl}/ui`);
    const again = await call('/self-service/login/browser?refresh=true', { headers: { ...json, cookie } });
    expect(again.status).toBe(200);
  });

  test('a navigation is sent to the login page, a script is not', async () => {
    for (const accept of ['text/html', '*/*', 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8']) {
      const { status, headers } = await call('/self-service/login/browser', { headers: { accept } });
      expect([accept, status]).toEqual([accept, 303]);
      expect(headers.get('location')).toMatch(/\/login\?flow=[0-9a-f-]{36}$/);
    }
    const { status } = await call('/self-service/login/browser', {
      headers: { accept: 'application/json, text/plain, */*' },
    });
    expect(status).toBe(200);
  });

  test('a form login leads to return_to, a failed one back to the page', async () => {
    const jar = new CookieJar();
    const returnTo = `${ory().kratos.publicUrl}/welcome?a=b`;
    const flow = await begin(jar, `?return_to=${encodeURIComponent(returnTo)}`);
    const form = (password: string) => ({
      method: 'POST',
      headers: html,
      body: new URLSearchParams({
        csrf_token: csrfToken(flow),
        method: 'password',
        identifier: person.email,
        password,
      }),
    });
    const path = `/self-service/login?flow=${at(flow, 'id')}`;
    const wrong = await call(path, form('wrong'), jar);
    expect([wrong.status, wrong.headers.get('location')]).toEqual([
      303,
      expect.stringContaining(`/login?flow=${at(flow, 'id')}`),
    ]);
    const right = await call(path, form(person.password), jar);
    expect([right.status, right.headers.get('location')]).toEqual([303, returnTo]);
    expect(await whoamiStatus(ory(), ['Cookie', jar.header()])).toBe(200);
  });

  test('a return_to of another origin is refused', async () => {
    for (const target of [
      'https://evil.example/',
      'http://127.0.0.1.evil.example/',
      '//evil.example/',
      'javascript:alert(1)',
    ]) {
      const path = `/self-service/login/browser?return_to=${encodeURIComponent(target)}`;
      const { status, body } = await call(path, { headers: json });
      expect([target, status]).toEqual([target, 400]);
      expect(at(body, 'error', 'id')).toBe('self_service_flow_return_to_forbidden');
    }
  });

  test('a relative return_to is one on the origin of Ory', async () => {
    const jar = new CookieJar();
    const flow = await begin(jar, '?return_to=/welcome');
    const { body } = await attempt(flow, { csrf_token: csrfToken(flow) }, jar);
    expect(at(body, 'continue_with')).toEqual([
      { action: 'redirect_browser_to', redirect_browser_to: `${ory().kratos.publicUrl}/welcome` },
    ]);
  });

  test('a browser logs out with the token that belongs to its cookie', async () => {
    const { name, value } = (await ory().loginBrowser(person)).cookie;
    const cookie = `${name}=${value}`;
    const { status, body } = await call('/self-service/logout/browser', { headers: { ...json, cookie } });
    expect(status).toBe(200);
    const token = String(at(body, 'logout_token'));
    expect(token).toMatch(/^ory_lo_/);
    expect(at(body, 'logout_url')).toBe(`${ory().kratos.publicUrl}/self-service/logout?token=${token}`);

    expect((await call('/self-service/logout', { headers: { ...json, cookie } })).status).toBe(400);
    expect((await call('/self-service/logout?token=wrong', { headers: { ...json, cookie } })).status).toBe(403);
    expect((await call(`/self-service/logout?token=${token}`, { headers: json })).status).toBe(401);
    expect(await whoamiStatus(ory(), ['Cookie', cookie])).toBe(200);

    const done = await call(`/self-service/logout?token=${token}`, { headers: { ...html, cookie } });
    expect([done.status, done.headers.get('location')]).toEqual([303, `${ory().kratos.publicUrl}/ui`]);
    expect(done.headers.getSetCookie().join('\n')).toMatch(new RegExp(`^${name}=.*Max-Age=0`, 'im'));
    expect(await whoamiStatus(ory(), ['Cookie', cookie])).toBe(401);
  });

  test('nobody to log out is 401 session_inactive', async () => {
    const { status, body } = await call('/self-service/logout/browser', { headers: json });
    expect(status).toBe(401);
    expect(at(body, 'error', 'id')).toBe('session_inactive');
  });

  test('an email belongs to one person', async () => {
    await expect(ory().createPerson({ email: person.email })).rejects.toThrow('409');
    await expect(ory().createPerson({ email: 42 })).rejects.toThrow('400');
  });

  test('traits keep every character', async () => {
    const name = 'José "%41" \\ <b>東京</b> \u{1F600} \u0007';
    const session = await ory().login(await ory().createPerson({ name }));
    const { body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(at(body, 'identity', 'traits', 'name')).toBe(name);
  });
};
