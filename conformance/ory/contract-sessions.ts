// The contract of sessions as a list: a person's own, and the admin API's.
import { expect, test } from 'vitest';
import { at } from './http.ts';
import type { ContractPart, Session } from './ory.ts';
import { whoamiStatus } from './whoami.ts';

export const describeSessions: ContractPart = (ory) => {
  const own = async (session: Session, path = '', method = 'GET') => {
    const headers = { accept: 'application/json', 'x-session-token': session.token };
    const response = await fetch(`${ory().kratos.publicUrl}/sessions${path}`, { method, headers });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as unknown };
  };
  const admin = async (path: string) => {
    const response = await fetch(`${ory().kratos.adminUrl}/admin${path}`);
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as unknown };
  };
  const ids = (body: unknown): unknown[] => (Array.isArray(body) ? body.map((entry) => at(entry, 'id')) : []);
  const tokenStatus = ({ token }: Session) => whoamiStatus(ory(), ['X-Session-Token', token]);

  test('a person’s list has their other sessions, not the one that asks, not those of others', async () => {
    const person = await ory().createPerson();
    const [mine, other] = [await ory().login(person), await ory().login(person)];
    await ory().login(await ory().createPerson());
    const { status, body } = await own(mine);
    expect(status).toBe(200);
    expect(ids(body)).toEqual([other.id]);
    expect(body).toMatchObject([
      { active: true, authenticator_assurance_level: 'aal1', identity: { id: person.id }, devices: [{}] },
    ]);
  });

  test('a person ends another session of theirs, or all others, and not the one that asks', async () => {
    const person = await ory().createPerson();
    const [mine, b, c, d] = await Promise.all([1, 2, 3, 4].map(() => ory().login(person)));
    if (!mine || !b || !c || !d) throw new Error('four sessions');
    expect((await own(mine, `/${b.id}`, 'DELETE')).status).toBe(204);
    expect([await tokenStatus(b), await tokenStatus(c)]).toEqual([401, 200]);
    expect((await own(mine, `/${mine.id}`, 'DELETE')).status).toBe(400);
    const all = await own(mine, '', 'DELETE');
    expect(all).toMatchObject({ status: 200, body: { count: expect.any(Number) } });
    expect([await tokenStatus(c), await tokenStatus(d), await tokenStatus(mine)]).toEqual([401, 401, 200]);
    expect((await own(mine)).body).toEqual([]);
  });

  test('nobody ends a session of somebody else, nor learns whether there is one', async () => {
    const [mine, theirs] = [
      await ory().login(await ory().createPerson()),
      await ory().login(await ory().createPerson()),
    ];
    for (const id of [theirs.id, crypto.randomUUID()]) expect((await own(mine, `/${id}`, 'DELETE')).status).toBe(204);
    expect(await tokenStatus(theirs)).toBe(200);
  });

  test('without a session there is no list', async () => {
    for (const method of ['GET', 'DELETE']) {
      const response = await fetch(`${ory().kratos.publicUrl}/sessions`, { method });
      expect([method, response.status]).toEqual([method, 401]);
    }
  });

  test('half a login lists and ends the other sessions: Kratos asks for no second factor here', async () => {
    const person = await ory().createPersonWithTotp();
    const [half, other] = [await ory().login(person), await ory().login(person)];
    await ory().stepUp(person, other);
    expect(ids((await own(half)).body)).toContain(other.id);
    expect((await own(half, `/${other.id}`, 'DELETE')).status).toBe(204);
    expect(await tokenStatus(other)).toBe(401);
  });

  test('the admin API lists the sessions of a person, newest first', async () => {
    const person = await ory().createPerson();
    const [first, second] = [await ory().login(person), await ory().login(person)];
    const { status, body } = await admin(`/identities/${person.id}/sessions`);
    expect(status).toBe(200);
    expect(ids(body)).toEqual([second.id, first.id]);
    expect(await admin(`/identities/${crypto.randomUUID()}/sessions`)).toEqual({ status: 200, body: [] });
  });

  test('the admin API shows a session, with identity and devices where they are asked for', async () => {
    const person = await ory().createPerson();
    const session = await ory().login(person);
    const plain = await admin(`/sessions/${session.id}`);
    expect(plain).toMatchObject({ status: 200, body: { id: session.id, active: true, identity: null, devices: [] } });
    const whole = await admin(`/sessions/${session.id}?expand=identity&expand=devices`);
    expect(whole.body).toMatchObject({ id: session.id, identity: { id: person.id }, devices: [{}] });
    expect((await admin(`/sessions/${crypto.randomUUID()}`)).status).toBe(404);
    await ory().revokeSession(session.id);
    expect(at((await admin(`/sessions/${session.id}`)).body, 'active')).toBe(false);
  });

  test('the admin API lists all sessions', async () => {
    const session = await ory().login(await ory().createPerson());
    const { status, body } = await admin('/sessions?page_size=500&expand=identity');
    expect(status).toBe(200);
    expect(ids(body)).toContain(session.id);
    expect(at(Array.isArray(body) ? body[0] : undefined, 'identity', 'id')).toEqual(expect.any(String));
  });
};
