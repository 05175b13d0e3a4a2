// The development Ory: what the edge needs of Kratos and Hydra, on one origin, in memory, on loopback. Network.
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import * as admin from './admin.ts';
import { type DevContext, fault, json } from './answer.ts';
import { type Client, Clients } from './clients.ts';
import { csrfCookieName } from './csrf.ts';
import { Flows } from './flows.ts';
import { Identities, type Identity } from './identities.ts';
import { accessTokenKeySet, Keys } from './keys.ts';
import { listen } from './listen.ts';
import { beginApi, beginBrowser, loginPage, showFlow, submit } from './login.ts';
import { showHome, showProblem } from './login-page.ts';
import { logout, logoutApi, logoutBrowser, logoutLink } from './logout.ts';
import { developmentHeader } from './page.ts';
import { presentedToken, Sessions, whoami } from './sessions.ts';
import type { DevUser, State } from './state.ts';
import { Tokens } from './tokens.ts';

export interface DevOryOptions {
  /** Default: `127.0.0.1`. Only a loopback address is taken. */
  readonly host?: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Default: the URL, byte for byte, as on Ory Network. */
  readonly issuer?: string;
  /** What the seeded client may ask for. */
  readonly audience: readonly string[];
  /** Milliseconds since 1970. Default: the system's. */
  readonly clock?: () => number;
  /** Default: a day. */
  readonly sessionLifespanSeconds?: number;
}

export interface DevOry {
  readonly url: string;
  readonly issuer: string;
  readonly users: readonly DevUser[];
  readonly client: { readonly id: string; readonly secret: string; readonly audience: readonly string[] };
  /** With the current signing key; `header` is merged over `{alg, kid, typ: 'JWT'}`. */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** A new signing key, first of its set; the old ones stay published. */
  rotateKey(): Promise<void>;
  close(): Promise<void>;
}

const daySeconds = 24 * 60 * 60;
const maxBodyBytes = 64 * 1024;
const seeds = [
  { name: 'Ada Lovelace', first: 'Ada', last: 'Lovelace', email: 'ada@example.com', password: 'ada-123' },
  { name: 'Grace Hopper', first: 'Grace', last: 'Hopper', email: 'grace@example.com', password: 'grace-123' },
];

/** @throws Node's own error where the port is in use (`EADDRINUSE`) */
export async function startDevOry(options: DevOryOptions): Promise<DevOry> {
  const client: Client = {
    id: 'dev-client',
    secret: 'dev-secret',
    grantTypes: ['client_credentials'],
    scopes: ['read', 'write'],
    audience: options.audience,
    strategy: 'jwt',
    authMethod: 'any',
    lifespanSeconds: 3_600,
  };
  const keys = await Keys.create();
  const clock = options.clock ?? Date.now;
  const identities = new Identities(clock);
  const users = await seed(identities);
  let issuer = options.issuer ?? '';
  const listening = await listen(options.host ?? '127.0.0.1', options.port, async (url) => {
    issuer ||= url;
    const clients = new Clients();
    clients.add(client);
    const state: State = {
      url,
      issuer,
      clock,
      csrfCookie: csrfCookieName(url),
      people: users,
      identities,
      sessions: new Sessions(clock, (options.sessionLifespanSeconds ?? daySeconds) * 1000),
      flows: new Flows(clock),
      keys,
      clients,
      tokens: new Tokens(keys, clients, issuer, clock),
    };
    return routes(state, client);
  });
  return {
    url: listening.url,
    issuer,
    users,
    client: { id: client.id, secret: client.secret, audience: client.audience },
    sign: (claims, header) => keys.sign(claims, header),
    rotateKey: () => keys.rotate(accessTokenKeySet),
    close: listening.close,
  };
}

async function seed(identities: Identities): Promise<DevUser[]> {
  const users: DevUser[] = [];
  for (const { name, first, last, email, password } of seeds) {
    const created = await identities.create({ traits: { email, name: { first, last } }, password, verified: true });
    if (created.kind === 'created') users.push({ id: created.identity.id, name, email, password });
  }
  return users;
}

function routes(state: State, client: Client): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(async (c, next) => {
    await next();
    c.header(...developmentHeader);
  });
  app.use(async (c, next) => {
    // Only a body whose length is said beforehand is read into memory.
    if (c.req.header('transfer-encoding') !== undefined) return c.text('Give a Content-Length.\n', 411);
    if (Number(c.req.header('content-length') ?? 0) > maxBodyBytes) return c.text('The body is too long.\n', 413);
    return next();
  });
  app.onError((error, c) => fault(c, 500, { reason: error.name }));
  app.notFound((c) =>
    c.req.header('accept')?.includes('text/html') ? showProblem(c, 404, 'No such page.') : fault(c, 404, {}),
  );

  app.get('/', (c) => home(c, state, client));
  app.get('/health/:what', (c) => json(c, 200, { status: 'ok' }));
  app.get('/schemas/person', (c) => json(c, 200, { $id: 'person', type: 'object' }));
  app.all('/sessions/whoami', (c) => whoami(c, state.sessions, state.url));

  app.get('/self-service/login/api', (c) => beginApi(c, state));
  app.get('/self-service/login/browser', (c) => beginBrowser(c, state));
  app.get('/self-service/login/flows', (c) => showFlow(c, state));
  app.post('/self-service/login', (c) => submit(c, state));
  app.get('/login', (c) => loginPage(c, state));
  app.delete('/self-service/logout/api', (c) => logoutApi(c, state));
  app.get('/self-service/logout/browser', (c) => logoutBrowser(c, state));
  app.get('/self-service/logout', (c) => logout(c, state));
  app.get('/logout', (c) => logoutLink(c, state));

  app.get('/.well-known/openid-configuration', (c) => json(c, 200, discovery(state)));
  app.get('/.well-known/jwks.json', (c) => json(c, 200, state.keys.jwks()));
  app.post('/oauth2/token', (c) => state.tokens.token(c));

  app.post('/admin/oauth2/introspect', (c) => state.tokens.introspect(c));
  app.post('/admin/clients', (c) => admin.createClient(c, state));
  app.put('/admin/keys/:set/:kid', (c) => admin.putKey(c, state));
  app.delete('/admin/sessions/:id', (c) => admin.deleteSession(c, state));
  app.get('/admin/identities', (c) => admin.listIdentities(c, state));
  app.post('/admin/identities', (c) => admin.createIdentity(c, state));
  app.get('/admin/identities/:id', (c) => withIdentity(c, state, admin.showIdentity));
  app.patch('/admin/identities/:id', (c) => withIdentity(c, state, admin.patchIdentity));
  app.put('/admin/identities/:id', (c) => withIdentity(c, state, admin.putIdentity));
  app.delete('/admin/identities/:id', (c) => withIdentity(c, state, admin.deleteIdentity));
  app.delete('/admin/identities/:id/sessions', (c) => withIdentity(c, state, admin.deleteIdentitySessions));
  return app;
}

type IdentityHandler = (c: DevContext, state: State, identity: Identity) => Response | Promise<Response>;

function withIdentity(c: DevContext, state: State, handler: IdentityHandler): Response | Promise<Response> {
  const identity = state.identities.get(c.req.param('id') ?? '');
  return identity ? handler(c, state, identity) : fault(c, 404, {});
}

function home(c: DevContext, { sessions, url, people }: State, client: Client): Response | Promise<Response> {
  const email = sessions.active(presentedToken(c, sessions))?.identity.identifier;
  return showHome(c, { url, email, people, client });
}

/** Only what is there: nobody is sent to an authorization endpoint that does not exist. */
function discovery({ issuer, url }: State): Record<string, unknown> {
  return {
    issuer,
    token_endpoint: `${url}/oauth2/token`,
    jwks_uri: `${url}/.well-known/jwks.json`,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    id_token_signing_alg_values_supported: ['RS256'],
    subject_types_supported: ['public'],
    response_types_supported: [],
  };
}
