// The contract of the settings flow: profile, password, authenticator app.
import { expect, test } from 'vitest';
import { totpCode } from '../../src/dev/totp.ts';
import { at, CookieJar, csrfToken, jsonRequest, nodeWith } from './http.ts';
import type { ContractPart, Person, Session } from './ory.ts';
import { whoami, whoamiStatus } from './whoami.ts';

const json = { accept: 'application/json' };
const html = { accept: 'text/html' };

export const describeSettings: ContractPart = (ory) => {
  async function call(path: string, init: RequestInit = {}, jar = new CookieJar()) {
    const headers = new Headers(init.headers);
    if (jar.header() !== '') headers.set('cookie', jar.header());
    const url = path.startsWith('http') ? path : `${ory().kratos.publicUrl}${path}`;
    const response = await fetch(url, { redirect: 'manual', ...init, headers });
    jar.take(response);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') && text !== '';
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as unknown };
  }

  const begin = (session: Session) =>
    call('/self-service/settings/api', { headers: { ...json, 'x-session-token': session.token } });

  async function change(session: Session, body: Record<string, unknown>, flow?: unknown) {
    const id = at(flow ?? (await begin(session)).body, 'id');
    const request = jsonRequest('POST', body);
    const headers = { ...request.headers, 'x-session-token': session.token };
    return call(`/self-service/settings?flow=${id}`, { ...request, headers });
  }

  async function browser(person: Person): Promise<CookieJar> {
    const { cookie } = await ory().loginBrowser(person);
    const jar = new CookieJar();
    jar.set(cookie.name, cookie.value);
    return jar;
  }

  test('a flow shows profile, password and a new secret, as picture and as text', async () => {
    const person = await ory().createPerson();
    const { status, body } = await begin(await ory().login(person));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      type: 'api',
      state: 'show_form',
      identity: { id: person.id, traits: { email: person.email } },
      ui: { method: 'POST', action: `${ory().kratos.publicUrl}/self-service/settings?flow=${at(body, 'id')}` },
    });
    expect(nodeWith(body, 'name', 'traits.email')).toMatchObject({
      group: 'profile',
      attributes: { type: 'email', value: person.email, required: true, autocomplete: 'email' },
    });
    expect(nodeWith(body, 'name', 'traits.name.first')).toMatchObject({
      group: 'profile',
      attributes: { type: 'text', value: 'Test' },
    });
    expect(nodeWith(body, 'name', 'password')).toMatchObject({
      group: 'password',
      attributes: { type: 'password', required: true, autocomplete: 'new-password' },
    });
    expect(nodeWith(body, 'id', 'totp_qr')).toMatchObject({
      type: 'img',
      group: 'totp',
      attributes: { src: expect.stringMatching(/^data:image\/png;base64,/), node_type: 'img' },
      meta: { label: { id: 1050005 } },
    });
    const secret = nodeWith(body, 'id', 'totp_secret_key');
    expect(secret).toMatchObject({ type: 'text', group: 'totp', meta: { label: { id: 1050017 } } });
    expect(at(secret, 'attributes', 'text', 'text')).toMatch(/^[A-Z2-7]{32}$/);
    expect(at(secret, 'attributes', 'text', 'context', 'secret')).toBe(at(secret, 'attributes', 'text', 'text'));
    expect(nodeWith(body, 'name', 'totp_code')).toMatchObject({ attributes: { required: true } });
    expect(nodeWith(body, 'name', 'totp_unlink')).toBeUndefined();
  });

  test('enrolling takes the code of the shown secret, and makes the session aal2', async () => {
    const session = await ory().login(await ory().createPerson());
    const { body: flow } = await begin(session);
    const secret = String(at(nodeWith(flow, 'id', 'totp_secret_key'), 'attributes', 'text', 'text'));
    const wrong = await change(session, { method: 'totp', totp_code: '000000' }, flow);
    expect(wrong.status).toBe(400);
    expect(at(nodeWith(wrong.body, 'name', 'totp_code'), 'messages')).toMatchObject([{ id: 4000008, type: 'error' }]);
    expect(at(nodeWith(wrong.body, 'id', 'totp_secret_key'), 'attributes', 'text', 'text')).toBe(secret);
    const right = await change(session, { method: 'totp', totp_code: totpCode(secret, Date.now()) }, flow);
    expect(right.status).toBe(200);
    expect(right.body).toMatchObject({ state: 'success', ui: { messages: [{ id: 1050001, type: 'success' }] } });
    expect(nodeWith(right.body, 'name', 'totp_unlink')).toMatchObject({
      group: 'totp',
      attributes: { type: 'submit', value: 'true' },
      meta: { label: { id: 1050004 } },
    });
    expect(nodeWith(right.body, 'id', 'totp_secret_key')).toBeUndefined();
    const { status, body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect([status, at(body, 'authenticator_assurance_level')]).toEqual([200, 'aal2']);
  });

  test('an app that is taken away is asked for no more', async () => {
    const person = await ory().createPersonWithTotp();
    const session = await ory().login(person);
    await ory().stepUp(person, session);
    expect((await change(session, { method: 'totp', totp_unlink: true })).status).toBe(200);
    const again = await ory().login(person);
    expect(await whoamiStatus(ory(), ['X-Session-Token', again.token])).toBe(200);
  });

  test('half a login changes nothing', async () => {
    const person = await ory().createPersonWithTotp();
    const whole = await ory().login(person);
    await ory().stepUp(person, whole);
    const { body: flow } = await begin(whole);
    const half = await ory().login(person);
    const begun = await begin(half);
    expect([begun.status, at(begun.body, 'error', 'id')]).toEqual([403, 'session_aal2_required']);
    const unlinked = await change(half, { method: 'totp', totp_unlink: true }, flow);
    expect([unlinked.status, at(unlinked.body, 'error', 'id')]).toEqual([403, 'session_aal2_required']);
  });

  test('a new password is good, the old one no longer', async () => {
    const person = await ory().createPerson();
    const session = await ory().login(person);
    const password = `brand-new-${crypto.randomUUID()}`;
    const short = await change(session, { method: 'password', password: 'short' });
    expect(short.status).toBe(400);
    expect(at(nodeWith(short.body, 'name', 'password'), 'messages')).toMatchObject([{ id: 4000032, type: 'error' }]);
    expect((await change(session, { method: 'password', password })).status).toBe(200);
    await expect(ory().login(person)).rejects.toThrow('400');
    await ory().login({ ...person, password });
  });

  test('a new profile is what whoami says', async () => {
    const person = await ory().createPerson();
    const session = await ory().login(person);
    const email = `new-${person.email}`;
    const saved = await change(session, { method: 'profile', traits: { email, name: 'Renamed' } });
    expect(saved.status).toBe(200);
    const { body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(at(body, 'identity', 'traits')).toEqual({ email, name: 'Renamed' });
    await ory().login({ ...person, email });
  });

  test('an email that is another person’s, or none, is refused', async () => {
    const [person, other] = [await ory().createPerson(), await ory().createPerson()];
    const session = await ory().login(person);
    for (const email of [other.email, 'nonsense']) {
      const { status } = await change(session, { method: 'profile', traits: { email } });
      expect([email, status]).toEqual([email, 400]);
    }
    const { body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(at(body, 'identity', 'traits', 'email')).toBe(person.email);
  });

  test('without a session there are no settings', async () => {
    const scripted = await call('/self-service/settings/browser', { headers: json });
    expect([scripted.status, at(scripted.body, 'error', 'id')]).toEqual([401, 'session_inactive']);
    expect((await call('/self-service/settings/api', { headers: json })).status).toBe(401);
    const navigated = await call('/self-service/settings/browser', { headers: html });
    expect([navigated.status, navigated.headers.get('location')]).toEqual([
      303,
      `${ory().kratos.publicUrl}/self-service/login/browser`,
    ]);
  });

  test('one person’s flow is neither shown to another nor changed by one', async () => {
    const [mine, other] = [await ory().createPerson(), await ory().createPerson()];
    const [session, foreign] = [await ory().login(mine), await ory().login(other)];
    const { body: flow } = await begin(session);
    const path = `/self-service/settings/flows?id=${at(flow, 'id')}`;
    expect((await call(path, { headers: { ...json, 'x-session-token': session.token } })).status).toBe(200);
    expect((await call(path, { headers: { ...json, 'x-session-token': foreign.token } })).status).toBe(403);
    expect((await call(path, { headers: json })).status).toBe(401);
    const changed = await change(foreign, { method: 'profile', traits: { email: 'x@example.com' } }, flow);
    expect(changed.status).toBe(403);
  });

  test('a browser is sent to the page and back to it, and its form needs the csrf token', async () => {
    const person = await ory().createPerson();
    const jar = await browser(person);
    const begun = await call('/self-service/settings/browser', { headers: html }, jar);
    expect(begun.status).toBe(303);
    expect(begun.headers.get('location')).toMatch(/\/settings\?flow=[0-9a-f-]{36}$/);
    const id = new URL(String(begun.headers.get('location'))).searchParams.get('flow');
    const { body: flow } = await call(`/self-service/settings/flows?id=${id}`, { headers: json }, jar);
    const form = (fields: Record<string, string>) => ({
      method: 'POST',
      headers: html,
      body: new URLSearchParams({ method: 'profile', ...fields }),
    });
    const email = async () => at((await whoami(ory(), [['Cookie', jar.header()]])).body, 'identity', 'traits', 'email');
    const path = `/self-service/settings?flow=${id}`;
    await call(path, form({ 'traits.email': `forged-${person.email}` }), jar);
    expect(await email()).toBe(person.email);
    const changed = form({ 'traits.email': `new-${person.email}`, csrf_token: csrfToken(flow) });
    const saved = await call(path, changed, jar);
    expect([saved.status, saved.headers.get('location')]).toEqual([
      303,
      expect.stringContaining(`settings?flow=${id}`),
    ]);
    expect(await email()).toBe(`new-${person.email}`);
  });
};
