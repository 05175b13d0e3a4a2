// The admin APIs of clients and keys. No I/O.
import { randomUUID } from 'node:crypto';
import type { JWK } from 'jose';
import { type DevContext, fault, json, noContent, readJson, textMember } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import { clientFromJson, clientJson, createdClientJson } from './client-json.ts';

const maxPage = 500;

/** `POST /admin/clients` */
export async function createClient(c: DevContext, { clients, clock, url }: State): Promise<Response> {
  const body = await readJson(c);
  if (body === undefined) return fault(c, 400, { reason: 'The body must be JSON, sent as application/json.' });
  const made = clientFromJson(body, clock(), false);
  if (made.kind === 'invalid') return json(c, 400, { error: made.error, error_description: made.reason });
  if (!clients.add(made.client)) {
    return fault(c, 409, { reason: 'There is such a client already, or no room for another.' });
  }
  c.header('Location', `/admin/clients/${made.client.id}`);
  return json(c, 201, createdClientJson(made.client, baseUrl(c, url)));
}

export function listClients(c: DevContext, { clients }: State): Response {
  return json(c, 200, clients.list().slice(0, maxPage).map(clientJson));
}

export function showClient(c: DevContext, { clients }: State): Response {
  const client = clients.get(c.req.param('id') ?? '');
  return client ? json(c, 200, clientJson(client)) : fault(c, 404, {});
}

export function deleteClient(c: DevContext, { clients, grants }: State): Response {
  const client = clients.get(c.req.param('id') ?? '');
  if (!client) return fault(c, 404, {});
  clients.remove(client.id);
  grants.endAllOf(client);
  return noContent(c);
}

/** `POST /admin/keys/{set}`: a new key, which signs from now on if the set is one that is signed with. */
export async function createKey(c: DevContext, { keys }: State): Promise<Response> {
  const body = await readJson(c);
  const algorithm = textMember(body, 'alg');
  if (algorithm !== 'RS256') return fault(c, 400, { reason: 'The development Ory makes keys for RS256 alone.' });
  const kid = textMember(body, 'kid') || randomUUID();
  const jwk = await keys.generate(c.req.param('set') ?? '', kid);
  return jwk ? json(c, 201, { keys: [jwk] }) : fault(c, 400, { reason: 'The set is full: it holds twenty keys.' });
}

/** `GET /admin/keys/{set}`: the public halves; Hydra gives the private ones as well. */
export function showKeys(c: DevContext, { keys }: State): Response {
  const set = keys.jwksOf(c.req.param('set') ?? '');
  return set ? json(c, 200, set) : fault(c, 404, {});
}

/** `PUT /admin/keys/{set}/{kid}`: a private JWK, which signs from now on if the set is the access tokens'. */
export async function putKey(c: DevContext, { keys }: State): Promise<Response> {
  const [set, kid] = [c.req.param('set') ?? '', c.req.param('kid') ?? ''];
  const body = await readJson(c);
  const added = body !== undefined && (await keys.put(set, kid, body as JWK));
  return added ? json(c, 200, body) : fault(c, 400, { reason: 'Give a private RSA key; each set holds twenty.' });
}
