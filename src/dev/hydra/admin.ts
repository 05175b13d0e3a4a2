// The admin APIs of clients and keys. No I/O.
import type { JWK } from 'jose';
import { type DevContext, fault, json, readJson } from '../answer.ts';
import type { State } from '../state.ts';
import { clientFromJson, clientJson } from './clients.ts';

/** `POST /admin/clients` */
export async function createClient(c: DevContext, { clients }: State): Promise<Response> {
  const body = await readJson(c);
  const client = body === undefined ? 'The body must be JSON, sent as application/json.' : clientFromJson(body);
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
