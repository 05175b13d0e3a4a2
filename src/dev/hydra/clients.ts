// OAuth2 clients of the development Ory, and what each may ask for. No I/O.
import { createHash, timingSafeEqual } from 'node:crypto';

export type Strategy = 'jwt' | 'opaque';

export interface Client {
  readonly id: string;
  /** '' of a public client. */
  readonly secret: string;
  readonly grantTypes: readonly string[];
  readonly responseTypes: readonly string[];
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  /** Undefined where the server's own counts. */
  readonly strategy: Strategy | undefined;
  /** 'any' is the seeded client's alone; Hydra's take the one method that they were made with. 'none' is public. */
  readonly authMethod: string;
  /** Of tokens by client_credentials. */
  readonly lifespanSeconds: number;
  readonly skipConsent: boolean;
  /** What it was registered with that has no effect here, to be given back. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAtMs: number;
  /** What its registration is read and deleted with. */
  readonly registrationToken: string;
}

const maxClients = 1_000;

export class Clients {
  readonly #byId = new Map<string, Client>();

  /** False where the id is taken or there is no more room. */
  add(client: Client): boolean {
    if (this.#byId.has(client.id) || this.#byId.size >= maxClients) return false;
    this.#byId.set(client.id, client);
    return true;
  }

  get(id: string): Client | undefined {
    return this.#byId.get(id);
  }

  list(): Client[] {
    return [...this.#byId.values()];
  }

  remove(id: string): boolean {
    return this.#byId.delete(id);
  }
}

/** In the time of a comparison of digests, so that it tells nothing about the value. */
export function sameSecret(given: string, right: string): boolean {
  return timingSafeEqual(digest(given), digest(right));
}

function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

/** Equal, or an URL of the same origin whose path lies below the allowed one, as Hydra compares them. */
function audienceAllowed(client: Client, audience: string): boolean {
  return client.audience.some((allowed) => {
    if (allowed === audience) return true;
    if (!URL.canParse(allowed) || !URL.canParse(audience)) return false;
    const [a, b] = [new URL(allowed), new URL(audience)];
    const below = `${b.pathname}/`.startsWith(`${a.pathname.replace(/\/+$/, '')}/`);
    return a.protocol === b.protocol && a.host === b.host && below;
  });
}

/** Byte for byte, except that a program on this machine may listen on any port (RFC 8252, section 7.3). */
export function redirectAllowed(client: Client, redirectUri: string): boolean {
  return client.redirectUris.some((allowed) => {
    if (allowed === redirectUri) return true;
    if (!/^http:\/\/(127\.0\.0\.1|\[::1\])[:/?]/.test(redirectUri) || !URL.canParse(redirectUri)) return false;
    return withoutPort(allowed) === withoutPort(redirectUri);
  });
}

/** By the spelling, not by the parsed form: the rest of the address stays byte for byte. */
function withoutPort(address: string): string {
  return address.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\])):\d{1,5}(?=[/?]|$)/, '$1');
}

/** A client that names none has Hydra's default. */
export function mayUse({ grantTypes }: Client, grantType: string): boolean {
  return (grantTypes.length === 0 ? ['authorization_code'] : grantTypes).includes(grantType);
}

/** What the client asks for and is not allowed to. */
export function foreignWish(
  client: Client,
  scopes: readonly string[],
  audience: readonly string[],
): { readonly error: 'invalid_scope' | 'invalid_request'; readonly description: string } | undefined {
  const scope = scopes.find((wanted) => !client.scopes.includes(wanted));
  if (scope !== undefined) {
    const description = `The OAuth 2.0 Client is not allowed to request scope '${scope}'.`;
    return { error: 'invalid_scope', description };
  }
  const foreign = audience.find((wanted) => !audienceAllowed(client, wanted));
  if (foreign === undefined) return undefined;
  const description = `Requested audience '${foreign}' has not been whitelisted by the OAuth 2.0 Client.`;
  return { error: 'invalid_request', description };
}
