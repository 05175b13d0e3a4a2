// Dynamic client registration (RFC 7591, RFC 7592) in Hydra's shape. No I/O.
import { type DevContext, fault, json, noContent, readJson } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import { clientFromJson, clientJson, createdClientJson } from './client-json.ts';
import { type Client, sameSecret } from './clients.ts';

/** `POST /oauth2/register` */
export async function register(c: DevContext, { clients, clock, url }: State): Promise<Response> {
  const body = await readJson(c);
  const made = clientFromJson(body ?? {}, clock(), true);
  if (body === undefined) return refuse(c, 'invalid_client_metadata', 'Send JSON, as application/json.');
  if (made.kind === 'invalid') return refuse(c, made.error, made.reason);
  if (!clients.add(made.client)) return refuse(c, 'invalid_client_metadata', 'There is no room for another client.');
  return json(c, 201, createdClientJson(made.client, baseUrl(c, url)));
}

/** `GET /oauth2/register/{id}`, with the token that came with the registration. */
export function showRegistration(c: DevContext, { clients }: State): Response {
  const client = registered(c, clients.get(c.req.param('id') ?? ''));
  return client ? json(c, 200, clientJson(client)) : unknown(c);
}

/** `DELETE /oauth2/register/{id}` */
export function deleteRegistration(c: DevContext, { clients, grants }: State): Response {
  const client = registered(c, clients.get(c.req.param('id') ?? ''));
  if (!client) return unknown(c);
  clients.remove(client.id);
  grants.endAllOf(client);
  return noContent(c);
}

function registered(c: DevContext, client: Client | undefined): Client | undefined {
  const given = /^bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
  return client && sameSecret(given, client.registrationToken) ? client : undefined;
}

function unknown(c: DevContext): Response {
  const reason = 'The requested OAuth 2.0 client does not exist or you provided incorrect credentials.';
  return fault(c, 401, { reason });
}

function refuse(c: DevContext, error: string, description: string): Response {
  return json(c, 400, { error, error_description: description });
}
