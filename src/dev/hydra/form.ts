// What a request to an OAuth2 endpoint says: its form, and who the client claims to be. No I/O.
import { type DevContext, oauthError } from '../answer.ts';
import { type Client, type Clients, sameSecret } from './clients.ts';

export type Refusal = readonly [status: 400 | 401, error: string, description: string];

export type Refused = { readonly refusal: Refusal };

export function refuse(...refusal: Refusal): Refused {
  return { refusal };
}

/** RFC 6749, section 5.2: also which scheme a client that used one may use. */
export function sendRefusal(c: DevContext, { refusal: [status, error, description] }: Refused): Response {
  if (status === 401) c.header('WWW-Authenticate', 'Basic realm="development Ory"');
  return oauthError(c, status, error, description);
}

/** Another content type is an empty form, as it is for Hydra. */
export async function readForm(c: DevContext): Promise<URLSearchParams> {
  const type = c.req.header('content-type') ?? '';
  return new URLSearchParams(/^application\/x-www-form-urlencoded\b/i.test(type) ? await c.req.text() : '');
}

/** The client, by the one method that it was registered with. A public one says its id alone. */
export function authenticate(c: DevContext, form: URLSearchParams, clients: Clients): Client | Refused {
  const authorization = c.req.header('authorization') ?? '';
  const basic = basicCredentials(authorization);
  const id = basic?.id ?? form.get('client_id') ?? '';
  if (id === '') {
    return refuse(400, 'invalid_request', 'Client credentials missing in both Authorization header and body.');
  }
  const secret = basic?.secret ?? form.get('client_secret') ?? '';
  const method = basic ? 'client_secret_basic' : secret === '' ? 'none' : 'client_secret_post';
  const client = clients.get(id);
  const right =
    client !== undefined && (client.authMethod === method || (client.authMethod === 'any' && secret !== ''));
  if (right && sameSecret(secret, client.secret)) return client;
  return refuse(401, 'invalid_client', `Client authentication with ${method} failed.`);
}

/** RFC 6749 section 2.3.1: each half is form-encoded before the base64. */
function basicCredentials(authorization: string): { readonly id: string; readonly secret: string } | undefined {
  const match = /^basic ([A-Za-z0-9+/=]+)$/i.exec(authorization);
  const pair = Buffer.from(match?.[1] ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  return { id: formDecode(pair.slice(0, colon)), secret: formDecode(pair.slice(colon + 1)) };
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

export function words(text: string | null | undefined): string[] {
  return (text ?? '').split(' ').filter(Boolean);
}
