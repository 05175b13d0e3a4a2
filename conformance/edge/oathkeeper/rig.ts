// The same policy on two edges, Oathkeeper's and the authorizer's own, before the same Ory. Opens loopback connections.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type OathkeeperEdge, type OathkeeperEdgeOptions, startOathkeeperEdge } from '../../oathkeeper/edge.ts';
import { json, type ScriptedOry, startScriptedOry } from '../attacks/scripted-ory.ts';
import { type App, startApp } from '../rig/app.ts';
import type { Answer } from '../rig/client.ts';
import { type Edge, startEdge } from '../rig/edge.ts';

const AUDIENCE = 'https://api.test';
export const PUBLIC_URL = 'https://edge.test';
const LOGIN_URL = 'https://login.test/self-service/login/browser';
export const PAGE = 'https://spa.test';

export function policyOf(ory: Pick<ScriptedOry, 'url' | 'issuer'>) {
  const anySession = { session: {} };
  return {
    ory: {
      kratos: { public_url: ory.url },
      hydra: { public_url: ory.url, admin_url: ory.url, issuer: ory.issuer },
      session_cookies: ['ory_kratos_session', 'ory_session_*'],
      login_url: LOGIN_URL,
      timeout: '1s',
    },
    tokens: { audiences: [AUDIENCE], clock_skew: '0s' },
    identity_headers: {
      'X-User-Id': ['session.identity.id', 'token.sub'],
      'X-User-Email': ['session.identity.verified_email', 'session.identity.traits.email', 'token.ext.email'],
      'X-User-Level': ['session.identity.traits.level', 'token.ext.level'],
      'X-User-Scopes': ['token.scopes'],
    },
    rules: [
      { name: 'assets', match: { path: '/assets/**', methods: ['GET', 'HEAD'] }, allow: 'anyone' },
      { name: 'admin-host', match: { host: 'admin.test', path: '/**' }, require: anySession },
      { name: 'tenants', match: { host: '*.acme.test', path: '/**' }, require: anySession },
      { name: 'signs', match: { path: '/a.b(c)+[d]/$x/*/**' }, require: anySession },
      { name: 'angles', match: { path: '/a<b>/é é/**' }, require: anySession },
      { name: 'doc-read', match: { path: '/doc/**', methods: ['GET', 'HEAD'] }, allow: 'anyone' },
      { name: 'doc-write', match: { path: '/doc/**' }, require: anySession },
      { name: 'home', match: { path: '/' }, allow: 'anyone', identify: true },
      { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
      { name: 'scoped', match: { path: '/scoped/**' }, require: { token: { scopes: ['read', 'write'] } } },
      { name: 'mixed', match: { path: '/mixed/**' }, require: { any_of: [anySession, { token: {} }] } },
      { name: 'turned', match: { path: '/turned/**' }, require: { any_of: [{ token: {} }, anySession] } },
      { name: 'web', match: { path: '/web/**' }, require: anySession, unauthenticated: 'redirect' },
      { name: 'spa', match: { path: '/spa/**' }, require: anySession, cors: { origins: [PAGE] } },
      { name: 'open', match: { path: '/open/**' }, allow: 'anyone' },
      { name: 'app', match: { path: '/app/**' }, require: anySession },
    ],
  };
}

/** Kratos's side of it: what a credential stands for, as whoami tells it. */
export class Sessions {
  readonly #known = new Map<string, object>();
  /** Instead of an answer, where it is there. */
  status: number | undefined;
  /** Instead of a session, at status 200. */
  body: string | undefined;

  add(value: string, person: string, identity: object = {}): string {
    this.#known.set(value, {
      id: `session-of-${person}`,
      active: true,
      authenticator_assurance_level: 'aal1',
      authenticated_at: new Date().toISOString(),
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      identity: { id: person, state: 'active', traits: { email: `${person}@app.test` }, ...identity },
    });
    return value;
  }

  /** Kratos's order, and of two cookies the first. @returns whether it was asked here */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.url?.split('?', 1)[0] !== '/sessions/whoami') return false;
    const { 'x-session-token': token, cookie = '', authorization = '' } = request.headers;
    const [, inCookie] = /(?:^|; *)ory_kratos_session=([^;]*)/.exec(cookie) ?? [];
    const [, bearer] = /^bearer (.+)$/i.exec(authorization) ?? [];
    const session = this.#known.get(String(token || inCookie || bearer));
    if (this.status !== undefined) json(response, this.status, { error: { id: 'session_aal2_required' } });
    else if (this.body !== undefined) response.end(this.body);
    else json(response, session ? 200 : 401, session ?? { error: { code: 401 } });
    return true;
  }
}

export interface Pair {
  readonly ory: ScriptedOry;
  readonly sessions: Sessions;
  readonly app: App;
  readonly ours: Edge;
  readonly oathkeeper: OathkeeperEdge;
  close(): Promise<void>;
}

/** @param change a last hand on the policy */
export async function startPair(
  change: (policy: ReturnType<typeof policyOf>) => Record<string, unknown> = (policy) => policy,
  options: OathkeeperEdgeOptions = {},
): Promise<Pair> {
  const ory = await startScriptedOry();
  const sessions = new Sessions();
  ory.before = (request, response) => sessions.answer(request, response);
  const app = await startApp('app');
  const edge = { upstreams: { app: app.url }, public_url: PUBLIC_URL };
  const policy = { edge: {}, ...change(policyOf(ory)) };
  const whole = { ...policy, edge: { ...edge, ...policy.edge } };
  const ours = await startEdge({ ...whole, cache: { ttl: '0s', negative_ttl: '0s', edge_ttl: '0s' } });
  const oathkeeper = await startOathkeeperEdge(whole, options);
  const close = async () => {
    await oathkeeper.close();
    await ours.close();
    await app.close();
    await ory.close();
  };
  return { ory, sessions, app, ours, oathkeeper, close };
}

/** Verdict and identity, as one line. */
export function outcome(answer: Answer): string {
  if (answer.status !== 200) return String(answer.status);
  const { headers } = answer.seen();
  const identity = headers.filter(([name]) => /^x[^a-z0-9]user/.test(name)).map(([name, value]) => `${name}=${value}`);
  return ['200', ...identity.sort()].join(' ');
}
