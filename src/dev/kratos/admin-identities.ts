// The admin API of identities. No I/O.
import { type DevContext, fault, json, member, noContent, readJson, textMember } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import { type Identity, type State as IdentityState, identityJson } from './identities.ts';

const notJson = { reason: 'The body must be JSON, sent as application/json.' };
const badState = { reason: "Valid states are ('active', 'inactive').", message: 'identity state is not valid' };
const badTraits = { reason: 'The traits need an email address that is nobody else’s.' };

/** `POST /admin/identities` */
export async function createIdentity(c: DevContext, { identities, url }: State): Promise<Response> {
  const body = await readJson(c);
  if (body === undefined) return fault(c, 400, notJson);
  const state = identityState(member(body, 'state') ?? 'active');
  if (!state) return fault(c, 400, badState);
  const password = sentPassword(body);
  const created = await identities.create({
    traits: record(member(body, 'traits')),
    ...(password === undefined ? {} : { password }),
    verified: anyVerified(member(body, 'verifiable_addresses')),
    state,
    metadataPublic: member(body, 'metadata_public'),
    metadataAdmin: member(body, 'metadata_admin'),
  });
  switch (created.kind) {
    case 'created':
      c.header('Location', `${baseUrl(c, url)}/admin/identities/${created.identity.id}`);
      return json(c, 201, adminJson(created.identity, baseUrl(c, url)));
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
    found.map((identity) => adminJson(identity, baseUrl(c, url))),
  );
}

export function showIdentity(c: DevContext, { url }: State, identity: Identity): Response {
  return json(c, 200, adminJson(identity, baseUrl(c, url)));
}

/** `PATCH /admin/identities/{id}`: of JSON Patch what changes the state, a trait, all traits, or the metadata. */
export async function patchIdentity(c: DevContext, { identities, url }: State, identity: Identity): Promise<Response> {
  const body = await readJson(c);
  if (!Array.isArray(body)) return fault(c, 400, notJson);
  for (const operation of body as unknown[]) {
    const refused = applyOperation(identities, identity, operation);
    if (refused) return fault(c, 400, refused);
  }
  return json(c, 200, adminJson(identity, baseUrl(c, url)));
}

const badOperation = {
  reason:
    'The development Ory adds and replaces /state, /traits, /traits/…, /metadata_public and /metadata_admin, and removes all but /state and /traits.',
};

/** What is wrong with it, if something is. */
function applyOperation(
  identities: State['identities'],
  identity: Identity,
  operation: unknown,
): { readonly reason: string; readonly message?: string } | undefined {
  const op = textMember(operation, 'op');
  const path = textMember(operation, 'path');
  const removes = op === 'remove';
  const value = removes ? undefined : member(operation, 'value');
  if (!['add', 'replace', 'remove'].includes(op)) return badOperation;
  const trait = /^\/traits\/([A-Za-z0-9_-]+)$/.exec(path)?.[1];
  if (trait !== undefined) {
    const { [trait]: _, ...others } = identity.traits;
    const traits = removes ? others : { ...others, [trait]: value };
    return identities.setTraits(identity, traits) === 'set' ? undefined : badTraits;
  }
  if (path === '/metadata_public') return void identities.setMetadata(identity, value, identity.metadataAdmin);
  if (path === '/metadata_admin') return void identities.setMetadata(identity, identity.metadataPublic, value);
  if (removes) return badOperation;
  if (path === '/traits') return identities.setTraits(identity, record(value)) === 'set' ? undefined : badTraits;
  if (path !== '/state') return badOperation;
  const state = identityState(value);
  return state ? void identities.setState(identity, state) : badState;
}

/** `PUT /admin/identities/{id}` */
export async function putIdentity(c: DevContext, { identities, url }: State, identity: Identity): Promise<Response> {
  const body = await readJson(c);
  if (body === undefined) return fault(c, 400, notJson);
  const state = identityState(member(body, 'state'));
  if (!state) return fault(c, 400, badState);
  if (identities.setTraits(identity, record(member(body, 'traits'))) !== 'set') return fault(c, 400, badTraits);
  identities.setState(identity, state);
  identities.setMetadata(identity, member(body, 'metadata_public'), member(body, 'metadata_admin'));
  const password = sentPassword(body);
  if (password !== undefined) await identities.setPassword(identity, password);
  return json(c, 200, adminJson(identity, baseUrl(c, url)));
}

/** `DELETE /admin/identities/{id}`, its sessions with it. */
export function deleteIdentity(c: DevContext, { identities, sessions }: State, identity: Identity): Response {
  sessions.endAllOf(identity);
  identities.remove(identity);
  return noContent(c);
}

/** `DELETE /admin/identities/{id}/credentials/totp`: takes the second factor away. */
export function deleteTotp(c: DevContext, { identities }: State, identity: Identity): Response {
  if (identity.totpSecret === undefined) return fault(c, 404, {});
  identities.setTotp(identity, undefined);
  return noContent(c);
}

function adminJson(identity: Identity, base: string): Record<string, unknown> {
  const password = { type: 'password', identifiers: [identity.identifier], version: 0 };
  const totp = { type: 'totp', identifiers: [identity.id], version: 0 };
  const credentials = {
    ...(identity.password === undefined ? {} : { password }),
    ...(identity.totpSecret === undefined ? {} : { totp }),
  };
  return { ...identityJson(identity, base), metadata_admin: identity.metadataAdmin, credentials };
}

function sentPassword(body: unknown): string | undefined {
  const password = member(member(member(member(body, 'credentials'), 'password'), 'config'), 'password');
  return typeof password === 'string' ? password : undefined;
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
