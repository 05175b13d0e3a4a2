// The admin APIs of the development Ory: identities, sessions, clients, keys. No I/O.
import type { JWK } from 'jose';
import { type DevContext, fault, json, member, noContent, readJson, textMember } from './answer.ts';
import { clientFromJson, clientJson } from './clients.ts';
import type { State as IdentityState } from './identities.ts';
import { type Identity, identityJson } from './identities.ts';
import type { State } from './state.ts';

const notJson = { reason: 'The body must be JSON, sent as application/json.' };
const badState = { reason: "Valid states are ('active', 'inactive').", message: 'identity state is not valid' };
const badTraits = { reason: 'The traits need an email address that is nobody else’s.' };

/** `POST /admin/identities` */
export async function createIdentity(c: DevContext, { identities, url }: State): Promise<Response> {
  const body = await readJson(c);
  if (body === undefined) return fault(c, 400, notJson);
  const state = identityState(member(body, 'state') ?? 'active');
  if (!state) return fault(c, 400, badState);
  const password = member(member(member(member(body, 'credentials'), 'password'), 'config'), 'password');
  const created = await identities.create({
    traits: record(member(body, 'traits')),
    ...(typeof password === 'string' ? { password } : {}),
    verified: anyVerified(member(body, 'verifiable_addresses')),
    state,
    metadataPublic: member(body, 'metadata_public'),
  });
  switch (created.kind) {
    case 'created':
      c.header('Location', `${url}/admin/identities/${created.identity.id}`);
      return json(c, 201, adminJson(created.identity, url));
    case 'invalid':
      return fault(c, 400, { reason: created.reason });
    case 'conflict':
      return fault(c, 409, { reason: 'This identity conflicts with another identity that already exists.' });
  }
}

export function listIdentities(c: DevContext, { identities, url }: State): Response {
  const identifier = c.req.query('credentials_identifier')?.toLowerCase();
  const found = identities.list().filter((identity) => identifier === undefined || identity.identifier === identifier);
  return json(
    c,
    200,
    found.map((identity) => adminJson(identity, url)),
  );
}

export function showIdentity(c: DevContext, { url }: State, identity: Identity): Response {
  return json(c, 200, adminJson(identity, url));
}

/** `PATCH /admin/identities/{id}`: of JSON Patch, replacing the state, or a trait. */
export async function patchIdentity(c: DevContext, { identities, url }: State, identity: Identity): Promise<Response> {
  const body = await readJson(c);
  if (!Array.isArray(body)) return fault(c, 400, notJson);
  for (const operation of body as unknown[]) {
    const path = textMember(operation, 'path');
    const value = member(operation, 'value');
    const trait = /^\/traits\/([A-Za-z0-9_-]+)$/.exec(path)?.[1];
    if (!['add', 'replace'].includes(textMember(operation, 'op')) || !(path === '/state' || trait)) {
      return fault(c, 400, { reason: 'The development Ory replaces /state and /traits/… alone.' });
    }
    if (trait) {
      if (!identities.setTraits(identity, { ...identity.traits, [trait]: value })) return fault(c, 400, badTraits);
      continue;
    }
    const state = identityState(value);
    if (!state) return fault(c, 400, badState);
    identities.setState(identity, state);
  }
  return json(c, 200, adminJson(identity, url));
}

/** `PUT /admin/identities/{id}` */
export async function putIdentity(c: DevContext, { identities, url }: State, identity: Identity): Promise<Response> {
  const body = await readJson(c);
  if (body === undefined) return fault(c, 400, notJson);
  const state = identityState(member(body, 'state'));
  if (!state) return fault(c, 400, badState);
  if (!identities.setTraits(identity, record(member(body, 'traits')))) return fault(c, 400, badTraits);
  identities.setState(identity, state);
  return json(c, 200, adminJson(identity, url));
}

/** `DELETE /admin/identities/{id}`, its sessions with it. */
export function deleteIdentity(c: DevContext, { identities, sessions }: State, identity: Identity): Response {
  sessions.endAllOf(identity);
  identities.remove(identity);
  return noContent(c);
}

/** `DELETE /admin/identities/{id}/sessions` */
export function deleteIdentitySessions(c: DevContext, { sessions }: State, identity: Identity): Response {
  return sessions.endAllOf(identity) > 0 ? noContent(c) : fault(c, 404, {});
}

/** `DELETE /admin/sessions/{id}`: once more is not an error, an unknown one is. */
export function deleteSession(c: DevContext, { sessions }: State): Response {
  const id = c.req.param('id') ?? '';
  if (!/^[0-9a-f-]{36}$/i.test(id)) return fault(c, 400, { message: 'The id of a session is a UUID.' });
  return sessions.revoke(id) ? noContent(c) : fault(c, 404, {});
}

/** `POST /admin/clients` */
export async function createClient(c: DevContext, { clients }: State): Promise<Response> {
  const body = await readJson(c);
  const client = body === undefined ? notJson.reason : clientFromJson(body);
  if (typeof client === 'string') return fault(c, 400, { reason: client });
  if (!clients.add(client)) return fault(c, 409, { reason: 'There is such a client already, or no room for another.' });
  return json(c, 201, clientJson(client));
}

/** `PUT /admin/keys/{set}/{kid}`: a private JWK, which signs from now on if the set is the access tokens'. */
export async function putKey(c: DevContext, { keys }: State): Promise<Response> {
  const [set, kid] = [c.req.param('set') ?? '', c.req.param('kid') ?? ''];
  const body = await readJson(c);
  const added = body !== undefined && (await keys.put(set, kid, body as JWK));
  return added ? json(c, 200, body) : fault(c, 400, { reason: 'Give a private RSA key; each set holds twenty.' });
}

function adminJson(identity: Identity, url: string): Record<string, unknown> {
  const password = { type: 'password', identifiers: [identity.identifier], version: 0 };
  return { ...identityJson(identity, url), credentials: identity.password ? { password } : {} };
}

function identityState(value: unknown): IdentityState | undefined {
  return value === 'active' || value === 'inactive' ? value : undefined;
}

function anyVerified(addresses: unknown): boolean {
  return Array.isArray(addresses) && addresses.some((address) => member(address, 'verified') === true);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
