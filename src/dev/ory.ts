// The development Ory: what the edge needs of Kratos and Hydra, on one origin, in memory, on loopback. Network.
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { LRUCache } from 'lru-cache';
import { type DevContext, fault, json, noStore } from './answer.ts';
import { hasForeignBase } from './base-url.ts';
import { showHome } from './home-page.ts';
import { type Client, Clients, type Strategy } from './hydra/clients.ts';
import { Grants } from './hydra/grants.ts';
import { accessTokenKeySet, Keys } from './hydra/keys.ts';
import { addHydra, addHydraAdmin } from './hydra/routes.ts';
import { csrfCookieName } from './kratos/csrf.ts';
import { Flows } from './kratos/flows.ts';
import { Identities } from './kratos/identities.ts';
import { addKratos, addKratosAdmin } from './kratos/routes.ts';
import { type RequiredAal, Sessions } from './kratos/sessions.ts';
import { listen } from './listen.ts';
import { addMade, Made } from './made.ts';
import { developmentHeader } from './page.ts';
import { showProblem } from './problem-page.ts';
import { isLoopbackUrl } from './return-to.ts';
import { seededClient, seedPeople } from './seeds.ts';
import type { DevUser, State } from './state.ts';
import { totpCode } from './totp.ts';

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
  /** What whoami and settings ask of a session. Default: `highest_available`, the second factor of whoever has one. */
  readonly requiredAal?: RequiredAal;
  /** Written into every cookie as `Domain=`, as Ory Network does for its own host. Default: none. */
  readonly cookieDomain?: string;
  /** Of the access tokens of clients that have no strategy of their own. Default: `jwt`. */
  readonly accessTokenStrategy?: Strategy;
  /** Whether anybody may register an OAuth2 client, and discovery says so. Default: true. */
  readonly dynamicRegistration?: boolean;
}

export interface DevOry {
  readonly url: string;
  readonly issuer: string;
  readonly users: readonly DevUser[];
  readonly client: { readonly id: string; readonly secret: string; readonly audience: readonly string[] };
  /** What the seeded client may ask for from now on. */
  setAudience(audience: readonly string[]): void;
  /** With the current signing key; `header` is merged over `{alg, kid, typ: 'JWT'}`. */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** A new signing key, first of its set; the old ones stay published. */
  rotateKey(): Promise<void>;
  /** The code that the authenticator app of a seeded user shows now. @throws {RangeError} where they have none */
  totpCode(user: DevUser): string;
  close(): Promise<void>;
}

const daySeconds = 24 * 60 * 60;
const maxBodyBytes = 64 * 1024;
const maxConsents = 1_000;
const consentLifespanMs = 10 * 60 * 1000;
/** @throws Node's own error where the port is in use (`EADDRINUSE`) */
export async function startDevOry(options: DevOryOptions): Promise<DevOry> {
  const clock = options.clock ?? Date.now;
  const client = { ...seededClient(options.audience, clock()) };
  const keys = await Keys.create();
  const identities = new Identities(clock);
  const users = await seedPeople(identities);
  let issuer = options.issuer ?? '';
  const listening = await listen(options.host ?? '127.0.0.1', options.port, async (url) => {
    issuer ||= url;
    const clients = new Clients();
    clients.add(client);
    const grants = new Grants(clock);
    const state: State = {
      url,
      issuer,
      clock,
      csrfCookie: csrfCookieName(url),
      cookieDomain: options.cookieDomain,
      requiredAal: options.requiredAal ?? 'highest_available',
      people: users,
      identities,
      sessions: new Sessions(clock, (options.sessionLifespanSeconds ?? daySeconds) * 1000),
      made: new Made(clock),
      flows: new Flows(clock),
      keys,
      clients,
      grants,
      issuing: { issuer, clock, keys, grants, strategy: options.accessTokenStrategy ?? 'jwt' },
      consents: new LRUCache({ max: maxConsents, ttl: consentLifespanMs, perf: { now: clock } }),
      dynamicRegistration: options.dynamicRegistration ?? true,
    };
    return routes(state, client);
  });
  return {
    url: listening.url,
    issuer,
    users,
    client: {
      id: client.id,
      secret: client.secret,
      get audience() {
        return client.audience;
      },
    },
    setAudience(audience) {
      client.audience = audience;
    },
    sign: (claims, header) => keys.sign(claims, header),
    rotateKey: () => keys.rotate(accessTokenKeySet),
    totpCode(user) {
      if (user.totpSecret === undefined) throw new RangeError(`${user.email} has no second factor`);
      return totpCode(user.totpSecret, clock());
    },
    close: listening.close,
  };
}

function routes(state: State, client: Client): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(async (c, next) => {
    await next();
    c.header(...developmentHeader);
    // As Kratos says of everything, redirects included: the back button would follow one of before.
    if (!c.res.headers.has('cache-control')) c.header('Cache-Control', noStore);
  });
  app.use(async (c, next) => {
    // Only a body whose length is said beforehand is read into memory.
    if (c.req.header('transfer-encoding') !== undefined) return c.text('Give a Content-Length.\n', 411);
    if (Number(c.req.header('content-length') ?? 0) > maxBodyBytes) return c.text('The body is too long.\n', 413);
    return next();
  });
  // A page whose name was made to point here would pass for this origin.
  app.use(async (c, next) => (isLoopbackUrl(new URL(c.req.url)) ? next() : fault(c, 403, {})));
  app.use(async (c, next) => (hasForeignBase(c) ? refuseBase(c) : next()));
  app.onError((error, c) => fault(c, 500, { reason: error.name }));
  app.notFound((c) =>
    c.req.header('accept')?.includes('text/html') ? showProblem(c, 404, 'No such page.') : fault(c, 404, {}),
  );

  // Where Ory Network has its pages, so that they are below edge.ory_path as well.
  app.get('/', (c) => showHome(c, state, client));
  app.get('/ui', (c) => showHome(c, state, client));
  app.get('/health/:what', (c) => json(c, 200, { status: 'ok' }));
  addKratos(app, state);
  addKratosAdmin(app, state);
  addHydra(app, state);
  addHydraAdmin(app, state);
  addMade(app, state);
  return app;
}

function refuseBase(c: DevContext): Response {
  return fault(c, 400, {
    reason: 'Ory-Base-URL-Rewrite: the development Ory takes http and https to this machine alone.',
  });
}
