// `/oauth2/token` (client_credentials) and `/admin/oauth2/introspect` of the development Ory. No I/O.
import { randomBytes, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type DevContext, oauthError } from '../answer.ts';
import { audienceAllowed, type Client, type Clients } from './clients.ts';
import type { Keys } from './keys.ts';

const maxTokens = 10_000;

interface Grant {
  readonly client: Client;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
}

type Refusal = readonly [status: 400 | 401, error: string, description: string];

export class Tokens {
  readonly #issued = new LRUCache<string, Grant>({ max: maxTokens });
  readonly #keys: Keys;
  readonly #clients: Clients;
  readonly #issuer: string;
  readonly #clock: () => number;

  constructor(keys: Keys, clients: Clients, issuer: string, clock: () => number) {
    this.#keys = keys;
    this.#clients = clients;
    this.#issuer = issuer;
    this.#clock = clock;
  }

  /** `POST /oauth2/token`, RFC 6749 section 4.4. The order of the checks is Hydra's. */
  async token(c: DevContext): Promise<Response> {
    const form = await readForm(c);
    const grant = this.#grant(c, form);
    if ('refusal' in grant) return oauthError(c, ...grant.refusal);

    const token = grant.client.strategy === 'jwt' ? await this.#jwt(grant) : opaqueToken();
    this.#issued.set(token, grant);
    c.header('Cache-Control', 'no-store');
    c.header('Pragma', 'no-cache');
    c.header('Content-Type', 'application/json;charset=UTF-8');
    const expiresIn = grant.expiresAtSeconds - grant.issuedAtSeconds;
    const scope = grant.scopes.join(' ');
    return c.body(JSON.stringify({ access_token: token, expires_in: expiresIn, scope, token_type: 'bearer' }));
  }

  /** `POST /admin/oauth2/introspect`, RFC 7662. */
  async introspect(c: DevContext): Promise<Response> {
    const form = await readForm(c);
    c.header('Content-Type', 'application/json;charset=UTF-8');
    c.header('Cache-Control', 'no-store');
    const grant = this.#issued.get(form.get('token') ?? '');
    const wanted = words(form.get('scope'));
    const live = grant !== undefined && grant.expiresAtSeconds > this.#clock() / 1000;
    if (!live || !wanted.every((scope) => grant.scopes.includes(scope))) return c.body('{"active":false}');
    return c.body(
      JSON.stringify({
        active: true,
        ...(grant.scopes.length > 0 ? { scope: grant.scopes.join(' ') } : {}),
        client_id: grant.client.id,
        sub: grant.client.id,
        exp: grant.expiresAtSeconds,
        iat: grant.issuedAtSeconds,
        nbf: grant.issuedAtSeconds,
        aud: grant.audience,
        iss: this.#issuer,
        token_type: 'Bearer',
        token_use: 'access_token',
      }),
    );
  }

  #grant(c: DevContext, form: URLSearchParams): Grant | { readonly refusal: Refusal } {
    if (form.size === 0) return refuse(400, 'invalid_request', 'The POST body can not be empty.');
    const grantType = form.get('grant_type') ?? '';
    if (grantType === '') return refuse(400, 'invalid_request', "Request parameter 'grant_type' is missing.");
    const client = this.#authenticate(c, form);
    if ('refusal' in client) return client;
    if (grantType !== 'client_credentials') {
      return refuse(400, 'invalid_request', 'The development Ory knows the grant client_credentials alone.');
    }
    if (!client.grantTypes.includes(grantType)) {
      return refuse(400, 'unauthorized_client', `The client is not allowed to use the grant '${grantType}'.`);
    }
    const scopes = words(form.get('scope'));
    const foreignScope = scopes.find((scope) => !client.scopes.includes(scope));
    if (foreignScope !== undefined) {
      return refuse(400, 'invalid_scope', `The client is not allowed to request scope '${foreignScope}'.`);
    }
    const audience = form.getAll('audience').flatMap(words);
    const foreignAudience = audience.find((wanted) => !audienceAllowed(client, wanted));
    if (foreignAudience !== undefined) {
      return refuse(400, 'invalid_request', `The client is not allowed to request audience '${foreignAudience}'.`);
    }
    const issuedAtSeconds = Math.floor(this.#clock() / 1000);
    return { client, scopes, audience, issuedAtSeconds, expiresAtSeconds: issuedAtSeconds + client.lifespanSeconds };
  }

  #authenticate(c: DevContext, form: URLSearchParams): Client | { readonly refusal: Refusal } {
    const basic = basicCredentials(c.req.header('authorization') ?? '');
    const id = basic?.id ?? form.get('client_id') ?? '';
    const secret = basic?.secret ?? form.get('client_secret') ?? '';
    if (id === '') {
      return refuse(400, 'invalid_request', 'Client credentials missing in both Authorization header and body.');
    }
    const client = this.#clients.authenticate(id, secret);
    const method = basic ? 'client_secret_basic' : 'client_secret_post';
    if (client && (client.authMethod === 'any' || client.authMethod === method)) return client;
    return refuse(401, 'invalid_client', `Client authentication with ${method} failed.`);
  }

  #jwt(grant: Grant): Promise<string> {
    return this.#keys.sign({
      aud: grant.audience,
      client_id: grant.client.id,
      exp: grant.expiresAtSeconds,
      ext: {},
      iat: grant.issuedAtSeconds,
      iss: this.#issuer,
      jti: randomUUID(),
      nbf: grant.issuedAtSeconds,
      scp: grant.scopes,
      sub: grant.client.id,
    });
  }
}

function refuse(...refusal: Refusal): { readonly refusal: Refusal } {
  return { refusal };
}

/** Another content type is an empty form, as it is for Hydra. */
async function readForm(c: DevContext): Promise<URLSearchParams> {
  const type = c.req.header('content-type') ?? '';
  return new URLSearchParams(/^application\/x-www-form-urlencoded\b/i.test(type) ? await c.req.text() : '');
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

function opaqueToken(): string {
  return `ory_at_${randomBytes(32).toString('base64url')}.${randomBytes(32).toString('base64url')}`;
}

function words(text: string | null): string[] {
  return (text ?? '').split(' ').filter(Boolean);
}
