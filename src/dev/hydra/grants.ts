// What has been granted to clients: codes, access tokens, refresh tokens, and which of them still count. No I/O.
import { LRUCache } from 'lru-cache';
import type { Identity } from '../kratos/identities.ts';
import { opaqueToken } from '../random.ts';
import type { Client } from './clients.ts';

/** One consent, or one call for client_credentials. Whatever follows from it ends with it. */
export interface Grant {
  readonly client: Client;
  readonly subject: string;
  /** Whoever consented; nobody with client_credentials. */
  readonly identity: Identity | undefined;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly ext: Readonly<Record<string, unknown>>;
  /** For the ID token; undefined without the scope `openid`. */
  readonly openid: OpenId | undefined;
  ended: boolean;
  /** Rises with each refresh: tokens of an earlier one no longer count. */
  generation: number;
}

interface OpenId {
  readonly nonce: string | undefined;
  readonly authenticatedAtSeconds: number;
  readonly requestedAtSeconds: number;
  readonly sessionId: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface Token {
  readonly use: 'access_token' | 'refresh_token';
  readonly grant: Grant;
  readonly generation: number;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
  revoked: boolean;
}

export interface Code {
  readonly grant: Grant;
  readonly redirectUri: string;
  readonly codeChallenge: string | undefined;
  readonly expiresAtMs: number;
  state: 'fresh' | 'used' | 'spoilt';
}

const maxTokens = 10_000;
const maxCodes = 1_000;
const codeLifespanMs = 60_000;

export class Grants {
  readonly #tokens = new LRUCache<string, Token>({ max: maxTokens });
  readonly #codes = new LRUCache<string, Code>({ max: maxCodes });
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  addCode(grant: Grant, redirectUri: string, codeChallenge: string | undefined): string {
    const code = opaqueToken('ory_ac_');
    const expiresAtMs = this.#clock() + codeLifespanMs;
    this.#codes.set(code, { grant, redirectUri, codeChallenge, expiresAtMs, state: 'fresh' });
    return code;
  }

  /** Also a used one, so that a second use is seen for what it is. */
  code(code: string): Code | undefined {
    const found = this.#codes.get(code);
    return found && found.expiresAtMs > this.#clock() ? found : undefined;
  }

  add(value: string, use: Token['use'], grant: Grant, issuedAtSeconds: number, expiresAtSeconds: number): void {
    const { generation } = grant;
    this.#tokens.set(value, { use, grant, generation, issuedAtSeconds, expiresAtSeconds, revoked: false });
  }

  /** Whatever was issued under that value, also where it no longer counts. Hydra needs no mark of a token's kind. */
  token(value: string): Token | undefined {
    const spellings = [value, `ory_at_${value}`, `ory_rt_${value}`];
    return spellings.map((one) => this.#tokens.get(one)).find((found) => found !== undefined);
  }

  /** The token while it counts. */
  active(value: string): Token | undefined {
    const token = this.token(value);
    return token && this.counts(token) ? token : undefined;
  }

  /** A client that is deleted takes with it what it was granted. */
  endAllOf(client: Client): void {
    for (const { grant } of [...this.#tokens.values(), ...this.#codes.values()]) {
      if (grant.client === client) grant.ended = true;
    }
  }

  /** People who are made inactive keep their tokens: Hydra does not know of Kratos's identities. */
  counts(token: Token): boolean {
    const { grant, generation, expiresAtSeconds, revoked } = token;
    const current = !revoked && !grant.ended && generation === grant.generation;
    return current && expiresAtSeconds > this.#clock() / 1000;
  }
}
