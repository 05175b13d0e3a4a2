// Credentials made to order for `ory-envoy test --edge`: a session with just these properties, a token with just these
// claims. They are nobody's: only whoami, introspection and the key set know them. No I/O.
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { LRUCache } from 'lru-cache';
import { type DevContext, fault, json, member, readJson, textMember } from './answer.ts';
import { introspected } from './introspected.ts';
import { opaqueToken, randomToken } from './random.ts';
import type { State } from './state.ts';

const maxMade = 10_000;

/** What whoami and introspection answer to a token, by the token. */
export class Made {
  readonly #sessions = new LRUCache<string, object>({ max: maxMade });
  readonly #tokens = new LRUCache<string, object>({ max: maxMade });
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  session(session: object): string {
    const token = randomToken('ory_st_');
    this.#sessions.set(token, session);
    return token;
  }

  hasSession(token: string): boolean {
    return this.#sessions.has(token);
  }

  /** Undefined where Kratos would not call it a session any more. */
  activeSession(token: string): object | undefined {
    const session = this.#sessions.get(token);
    const expiresAt = Date.parse(textMember(session, 'expires_at'));
    const ended = member(session, 'active') !== true || expiresAt <= this.#clock();
    return ended || textMember(member(session, 'identity'), 'state') === 'inactive' ? undefined : session;
  }

  opaqueToken(claims: object): string {
    const token = opaqueToken('ory_at_');
    this.#tokens.set(token, claims);
    return token;
  }

  /** Undefined where it was not made here. */
  introspection(token: string): object | undefined {
    const claims = this.#tokens.get(token);
    return claims && introspected(claims, this.#clock());
  }
}

/** On the admin side, with its guards: this machine alone, and JSON that no page of another origin can send unasked. */
export function addMade(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.post('/admin/development/sessions', (c) => makeSession(c, state));
  app.post('/admin/development/tokens', (c) => makeToken(c, state));
  app.post('/admin/development/opaque-tokens', (c) => makeOpaqueToken(c, state));
}

async function makeSession(c: DevContext, { made, sessions }: State): Promise<Response> {
  const session = await readJson(c);
  if (session === undefined || Array.isArray(session)) return fault(c, 400, notAnObject);
  const token = made.session(session as object);
  return json(c, 201, { session_token: token, session_cookie: sessions.seal({ token }) });
}

async function makeToken(c: DevContext, { keys }: State): Promise<Response> {
  const claims = await readJson(c);
  if (claims === undefined || Array.isArray(claims)) return fault(c, 400, notAnObject);
  return json(c, 201, { access_token: await keys.sign({ ...(claims as object) }) });
}

async function makeOpaqueToken(c: DevContext, { made }: State): Promise<Response> {
  const claims = await readJson(c);
  if (claims === undefined || Array.isArray(claims)) return fault(c, 400, notAnObject);
  return json(c, 201, { access_token: made.opaqueToken(claims as object) });
}

const notAnObject = { reason: 'The body must be a JSON object, sent as application/json.' };
