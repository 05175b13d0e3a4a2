// The contract of the admin API of identities, as far as a developer changes people with it.
import { expect, test } from 'vitest';
import { at, jsonRequest } from './http.ts';
import type { ContractPart, Session } from './ory.ts';
import { whoami, whoamiStatus } from './whoami.ts';

export const describeIdentities: ContractPart = (ory) => {
  const admin = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${ory().kratos.adminUrl}/admin${path}`, init);
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as unknown };
  };
  const tokenStatus = ({ token }: Session) => whoamiStatus(ory(), ['X-Session-Token', token]);

  test('the admin API finds a person by id and by email, and says which credentials there are', async () => {
    const person = await ory().createPersonWithTotp();
    const shown = await admin(`/identities/${person.id}`);
    expect(shown).toMatchObject({
      status: 200,
      body: {
        id: person.id,
        state: 'active',
        metadata_public: null,
        metadata_admin: null,
        credentials: {
          password: { type: 'password', identifiers: [person.email] },
          totp: { type: 'totp', identifiers: [person.id] },
        },
      },
    });
    const found = await admin(`/identities?credentials_identifier=${encodeURIComponent(person.email)}`);
    expect(found.body).toMatchObject([{ id: person.id }]);
    expect((await admin(`/identities/${crypto.randomUUID()}`)).status).toBe(404);
  });

  test('a patch changes traits and metadata, and whoami says so at once, without the private part', async () => {
    const person = await ory().createPerson();
    const session = await ory().login(person);
    const patch = (...operations: unknown[]) => admin(`/identities/${person.id}`, jsonRequest('PATCH', operations));
    const patched = await patch(
      { op: 'replace', path: '/traits/name', value: 'Renamed' },
      { op: 'add', path: '/metadata_public', value: { plan: 'gold' } },
      { op: 'add', path: '/metadata_admin', value: { note: 'private' } },
    );
    expect(patched).toMatchObject({ status: 200, body: { metadata_admin: { note: 'private' } } });
    const { body } = await whoami(ory(), [['X-Session-Token', session.token]]);
    expect(at(body, 'identity')).toMatchObject({ traits: { name: 'Renamed' }, metadata_public: { plan: 'gold' } });
    expect(JSON.stringify(body)).not.toContain('private');
    expect(await patch({ op: 'remove', path: '/traits/name' })).toMatchObject({
      status: 200,
      body: { traits: { email: person.email } },
    });
    for (const operation of [
      { op: 'replace', path: '/state', value: 'nonsense' },
      { op: 'remove', path: '/traits/email' },
      { op: 'nonsense', path: '/traits/name', value: 'x' },
      { op: 'replace', path: '/id', value: crypto.randomUUID() },
    ]) {
      const { status } = await patch(operation);
      expect([operation, status >= 400 && status < 500]).toEqual([operation, true]);
    }
  });

  test('the admin API replaces a person, password included', async () => {
    const person = await ory().createPerson();
    const email = `put-${person.email}`;
    const put = await admin(
      `/identities/${person.id}`,
      jsonRequest('PUT', {
        schema_id: 'person',
        state: 'active',
        traits: { email },
        metadata_public: { plan: 'gold' },
        credentials: { password: { config: { password: 'another-password-1' } } },
      }),
    );
    expect(put).toMatchObject({ status: 200, body: { traits: { email }, metadata_public: { plan: 'gold' } } });
    await ory().login({ ...person, email, password: 'another-password-1' });
    await expect(ory().login({ ...person, email })).rejects.toThrow('400');
  });

  test('the admin API takes an authenticator app away', async () => {
    const person = await ory().createPersonWithTotp();
    const path = `/identities/${person.id}/credentials/totp`;
    expect((await admin(path, { method: 'DELETE' })).status).toBe(204);
    expect(await tokenStatus(await ory().login(person))).toBe(200);
    expect((await admin(path, { method: 'DELETE' })).status).toBe(404);
  });
};
