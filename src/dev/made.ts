// Credentials made to order for `ory-envoy test --edge`: a session with just these properties, a token with just these
// claims. They are nobody's: only whoami and the key set know them. No I/O.
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { LRUCache } from 'lru-cache';
import { type DevContext, fault, json, member, readJson, textMember } from './answer.ts';
import { randomToken } from './random.ts';
import type { State } from './state.ts';

const maxMade = 10_000;

/** What whoami answers to a token, by the token. */
export class MadeSessions {
  readonly #byToken = new LRUCache<string, object>({ max: maxMade });
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  make(session: object): string {
    const token = randomToken('ory_st_');
    this.#byToken.set(token, session);
    return token;
  }

  has(token: string): boolean {
    return this.#byToken.has(token);
  }

  /** Undefined where Kratos would not call it a session any more. */
  active(token: string): object | undefined {
    const session = this.#byToken.get(token);
    const expiresAt = Date.parse(textMember(session, 'expires_at'));
    const ended = member(session, 'active') !== true || expiresAt <= this.#clock();
    return ended || textMember(member(session, 'identity'), 'state') === 'inactive' ? undefined : session;
  }
}

/** On the admin side, with its guards: this machine alone, and JSON that no page of another origin can send unasked. */
export function addMade(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.post('/admin/development/sessions', (c) => makeSession(c, state));
  app.post('/admin/development/tokens', (c) => makeToken(c, state));
}

async function makeSession(c: DevContext, { made, sessions }: State): Promise<Response> {
  const session = await readJson(c);
  if (session === undefined || Array.isArray(session)) return fault(c, 400, notAnObject);
  const token = made.make(session as object);
  return json(c, 201, { session_token: token, session_cookie: sessions.seal({ token }) });
}

async function makeToken(c: DevContext, { keys }: State): Promise<Response> {
  const claims = await readJson(c);
  if (claims === undefined || Array.isArray(claims)) return fault(c, 400, notAnObject);
  return json(c, 201, { access_token: await keys.sign({ ...(claims as object) }) });
}

const notAnObject = { reason: 'The body must be a JSON object, sent as application/json.' };
