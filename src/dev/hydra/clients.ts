// OAuth2 clients of the development Ory, and what each may ask for. No I/O.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { member, textMember } from '../answer.ts';
import { randomToken } from '../random.ts';

type Strategy = 'jwt' | 'opaque';

export interface Client {
  readonly id: string;
  readonly secret: string;
  readonly grantTypes: readonly string[];
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly strategy: Strategy;
  /** 'any' is the seeded client's alone; Hydra's take the one method that they were made with. */
  readonly authMethod: string;
  readonly lifespanSeconds: number;
}

const maxClients = 1_000;
const defaultLifespanSeconds = 3_600;

export class Clients {
  readonly #byId = new Map<string, Client>();

  /** False where the id is taken or there is no more room. */
  add(client: Client): boolean {
    if (this.#byId.has(client.id) || this.#byId.size >= maxClients) return false;
    this.#byId.set(client.id, client);
    return true;
  }

  authenticate(id: string, secret: string): Client | undefined {
    const client = this.#byId.get(id);
    return client && timingSafeEqual(digest(secret), digest(client.secret)) ? client : undefined;
  }
}

function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

/** A client from the body of `POST /admin/clients`, or what is wrong with it. */
export function clientFromJson(body: unknown): Client | string {
  const lifespan = member(body, 'client_credentials_grant_access_token_lifespan') ?? `${defaultLifespanSeconds}s`;
  const lifespanSeconds = typeof lifespan === 'string' ? goDurationSeconds(lifespan) : undefined;
  if (lifespanSeconds === undefined) return 'client_credentials_grant_access_token_lifespan is not a duration';
  const strategy = member(body, 'access_token_strategy') ?? 'jwt';
  if (strategy !== 'jwt' && strategy !== 'opaque') return 'access_token_strategy is jwt or opaque';
  const secret = textMember(body, 'client_secret') || randomToken('');
  if (secret.length < 6) return 'client_secret has less than 6 characters';
  return {
    id: textMember(body, 'client_id') || randomUUID(),
    secret,
    grantTypes: texts(member(body, 'grant_types')),
    scopes: textMember(body, 'scope').split(' ').filter(Boolean),
    audience: texts(member(body, 'audience')),
    strategy,
    authMethod: textMember(body, 'token_endpoint_auth_method') || 'client_secret_basic',
    lifespanSeconds,
  };
}

export function clientJson(client: Client): Record<string, unknown> {
  return {
    client_id: client.id,
    client_secret: client.secret,
    grant_types: client.grantTypes,
    scope: client.scopes.join(' '),
    audience: client.audience,
    token_endpoint_auth_method: client.authMethod,
    access_token_strategy: client.strategy,
    client_credentials_grant_access_token_lifespan: `${client.lifespanSeconds}s`,
  };
}

/** Equal, or an URL of the same origin whose path lies below the allowed one, as Hydra compares them. */
export function audienceAllowed(client: Client, audience: string): boolean {
  return client.audience.some((allowed) => {
    if (allowed === audience) return true;
    if (!URL.canParse(allowed) || !URL.canParse(audience)) return false;
    const [a, b] = [new URL(allowed), new URL(audience)];
    const below = `${b.pathname}/`.startsWith(`${a.pathname.replace(/\/+$/, '')}/`);
    return a.protocol === b.protocol && a.host === b.host && below;
  });
}

/** `90s`, `1m30s`, `1h`: whole units of Go's durations, without fractions. */
function goDurationSeconds(text: string): number | undefined {
  const match = /^(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,8})s)?$/.exec(text);
  if (!match || text === '') return undefined;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
