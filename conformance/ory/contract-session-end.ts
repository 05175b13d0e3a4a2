// The contract of how sessions end: revoked, logged out, the identity inactive, expired.
import { beforeAll, expect, test, vi } from 'vitest';
import { jsonRequest } from './http.ts';
import type { ContractPart, Person } from './ory.ts';
import { whoamiStatus } from './whoami.ts';

export const describeSessionEnd: ContractPart = (ory) => {
  let person: Person;

  beforeAll(async () => {
    person = await ory().createPerson();
  });

  const tokenStatus = (token: string) => whoamiStatus(ory(), ['X-Session-Token', token]);
  const remove = async (url: string): Promise<number> => (await fetch(url, { method: 'DELETE' })).status;
  const logoutStatus = async (body: unknown): Promise<number> =>
    (await fetch(`${ory().kratos.publicUrl}/self-service/logout/api`, jsonRequest('DELETE', body))).status;

  test('a revoked session is 401, and other sessions of the person go on', async () => {
    const [gone, other] = [await ory().login(person), await ory().login(person)];
    await ory().revokeSession(gone.id);
    expect(await tokenStatus(gone.token)).toBe(401);
    expect(await tokenStatus(other.token)).toBe(200);
  });

  test('revoking by id: a second time is 204 too, an unknown one 404, a malformed one 400', async () => {
    const { id } = await ory().login(person);
    const sessions = `${ory().kratos.adminUrl}/admin/sessions`;
    expect(await remove(`${sessions}/${id}`)).toBe(204);
    expect(await remove(`${sessions}/${id}`)).toBe(204);
    expect(await remove(`${sessions}/${crypto.randomUUID()}`)).toBe(404);
    expect(await remove(`${sessions}/nonsense`)).toBe(400);
  });

  test('all sessions of a person end at once, and then there are none to end', async () => {
    const [session, browser] = [await ory().login(person), await ory().loginBrowser(person)];
    const url = `${ory().kratos.adminUrl}/admin/identities/${person.id}/sessions`;
    expect(await remove(url)).toBe(204);
    expect(await tokenStatus(session.token)).toBe(401);
    expect(await whoamiStatus(ory(), ['Cookie', `${browser.cookie.name}=${browser.cookie.value}`])).toBe(401);
    expect(await remove(url)).toBe(404);
  });

  test('a session that was logged out is 401, and logging it out again is no error', async () => {
    const session = await ory().login(person);
    await ory().logout(session);
    expect(await tokenStatus(session.token)).toBe(401);
    expect(await logoutStatus({ session_token: session.token })).toBe(204);
  });

  test('logging out a token that never was is 403', async () => {
    expect(await logoutStatus({ session_token: 'ory_st_garbage' })).toBe(403);
    expect(await logoutStatus({})).toBe(403);
  });

  test('the cookie of a session that ended masks a good bearer', async () => {
    const [browser, session] = [await ory().loginBrowser(person), await ory().login(person)];
    const cookie = ['Cookie', `${browser.cookie.name}=${browser.cookie.value}`] as const;
    await ory().revokeSession(browser.id);
    expect(await whoamiStatus(ory(), cookie)).toBe(401);
    expect(await whoamiStatus(ory(), cookie, ['Authorization', `Bearer ${session.token}`])).toBe(401);
  });

  test('an inactive identity has no sessions, and its old ones come back with it', async () => {
    const session = await ory().login(person);
    await ory().setPersonState(person.id, 'inactive');
    expect(await tokenStatus(session.token)).toBe(401);
    await ory().setPersonState(person.id, 'active');
    expect(await tokenStatus(session.token)).toBe(200);
  });

  test('a deleted identity takes its sessions with it', async () => {
    const somebody = await ory().createPerson();
    const session = await ory().login(somebody);
    const url = `${ory().kratos.adminUrl}/admin/identities/${somebody.id}`;
    expect(await remove(url)).toBe(204);
    expect(await tokenStatus(session.token)).toBe(401);
    expect(await remove(url)).toBe(404);
  });

  test('a session is 401 once it expires', { timeout: 60_000 }, async () => {
    const session = await ory().login(person);
    expect(await tokenStatus(session.token)).toBe(200);
    await vi.waitUntil(async () => (await tokenStatus(session.token)) === 401, { timeout: 40_000, interval: 500 });
  });
};
