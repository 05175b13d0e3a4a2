// A real Envoy with listeners with and without the edge cache, one authorizer behind all of them, and an Ory that says what
// a test needs. Runs a program, opens ports.
import { stringify } from 'yaml';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { findEnvoy } from '../../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../../src/edge/run.ts';
import type { Transport } from '../../../src/generate/envoy/transport.ts';
import { type Authorizer, startAuthorizer } from '../../../src/server/authorizer.ts';
import { SILENT } from '../../equivalence/edge.ts';
import { freePorts } from '../../ports.ts';
import { until } from '../../until.ts';
import { fileFor, outcome } from '../attacks/rig.ts';
import { type ScriptedOry, startScriptedOry } from '../attacks/scripted-ory.ts';
import { type App, startApp } from '../rig/app.ts';
import type { Lines, Protocol } from '../rig/client.ts';
import { counter } from '../rig/counter.ts';
import type { EdgeFile } from '../rig/edge.ts';
import { authorizerOf, bootstrapOf, type Variant } from './bootstrap.ts';

export interface RigOptions {
  /** Sections that replace those of the attacks' policy; opaque tokens are asked about. */
  readonly change?: EdgeFile;
  readonly transport?: Transport;
  /** Default `edge` with the edge cache and `plain` without. */
  readonly variants?: readonly Variant[];
  /** Envoy's workers; default one, so that what is remembered is remembered for every request. */
  readonly concurrency?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly ory?: ScriptedOry;
  /** Beside `app` and `second`, or in place of one. */
  readonly upstreams?: Readonly<Record<string, string>>;
  /** Instead of the real authorizer, an address that stands for both transports. */
  readonly authorizerPort?: number;
}

export interface Counts {
  readonly hits: number;
  readonly misses: number;
  readonly stores: number;
  /** Checks that the authorizer was sent. */
  readonly asked: number;
}

export interface Rig {
  readonly ory: ScriptedOry;
  readonly app: App;
  readonly second: App;
  readonly envoy: RunningEnvoy;
  readonly config: Config;
  /** The lines of the access log so far. */
  readonly accessLog: readonly Readonly<Record<string, unknown>>[];
  /** Envoy's own log. */
  readonly log: readonly string[];
  url(variant?: string): string;
  /** As `outcome` of the attacks has it. */
  ask(path: string, headers?: Lines, how?: { protocol?: Protocol; method?: string; variant?: string }): Promise<string>;
  counts(variant?: string): Promise<Counts>;
  /** What was counted meanwhile. */
  during(what: () => Promise<unknown>, variant?: string): Promise<Counts>;
  stopAuthorizer(): Promise<void>;
  startAuthorizer(): Promise<void>;
  /** Its addresses are others afterwards. */
  restartEnvoy(): Promise<void>;
  close(): Promise<void>;
}

const PAIR: readonly Variant[] = [{ name: 'edge' }, { name: 'plain', edgeCache: false }];

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { transport = 'http', variants = PAIR, concurrency = 1, change = {} } = options;
  const ory = options.ory ?? (await startScriptedOry());
  const [app, second] = [await startApp('app'), await startApp('second')];
  const [http = 0, grpc = 0] = await freePorts(2);
  const file = fileFor(ory, change);
  const stands = options.authorizerPort;
  const config = parseConfig(
    stringify({
      ...file,
      ory: { ...(file['ory'] as object), hydra: { public_url: ory.url, issuer: ory.issuer, admin_url: ory.url } },
      edge: {
        listen: '127.0.0.1:0',
        admin: '127.0.0.1:0',
        ...(stands === undefined ? {} : { authorizer: `http://127.0.0.1:${stands}` }),
        upstreams: { app: app.url, second: second.url, ...options.upstreams },
      },
      serve: { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${stands ?? grpc}`, admin: '127.0.0.1:0' },
    }),
    'edge-cache.yaml',
    { env: {} },
  );
  let authorizer: Authorizer | undefined;
  const start = async () => {
    authorizer = await startAuthorizer(config, { log: SILENT });
  };
  if (stands === undefined) await start();
  const accessLog: Record<string, unknown>[] = [];
  const log: string[] = [];
  const { path } = await findEnvoy();
  const run = () =>
    startEnvoy({
      path,
      config: bootstrapOf(config, transport, variants),
      concurrency,
      ...(options.env ? { env: options.env } : {}),
      onLog: (line) => log.push(line),
      onAccessLog: (line) => accessLog.push(JSON.parse(line) as Record<string, unknown>),
    });
  let envoy = await run();
  const [only = { name: 'edge' }] = variants;
  const url = (variant = only.name) => {
    const port = envoy.listeners.find(({ name }) => name === variant)?.port;
    if (port === undefined) throw new Error(`there is no listener ${variant}`);
    return `http://127.0.0.1:${port}`;
  };
  const counts = async (variant = only.name): Promise<Counts> => {
    // A counter that nothing has been counted by is not there yet.
    const of = (name: string) => counter(envoy, `http.${variant}.lua.edge_cache.${name}`).catch(() => 0);
    const asked = counter(envoy, `cluster.${authorizerOf(variant)}.upstream_rq_total`);
    return { hits: await of('hits'), misses: await of('misses'), stores: await of('stores'), asked: await asked };
  };
  return {
    ory,
    app,
    second,
    get envoy() {
      return envoy;
    },
    config,
    accessLog,
    log,
    url,
    ask: (path, headers = [], { protocol = 'HTTP/1.1', method = 'GET', variant } = {}) =>
      outcome({ url: url(variant) }, protocol, path, headers, method),
    counts,
    async during(what, variant) {
      const before = await counts(variant);
      await what();
      const after = await counts(variant);
      return {
        hits: after.hits - before.hits,
        misses: after.misses - before.misses,
        stores: after.stores - before.stores,
        asked: after.asked - before.asked,
      };
    },
    async stopAuthorizer() {
      await authorizer?.close(0);
      authorizer = undefined;
    },
    startAuthorizer: start,
    async restartEnvoy() {
      await envoy.stop();
      envoy = await run();
    },
    async close() {
      await envoy.stop();
      await authorizer?.close(0);
      await Promise.all([app.close(), second.close(), ...(options.ory ? [] : [ory.close()])]);
    },
  };
}

/** Asks until a yes is remembered: it is stored with the answer, of which the client may be told a moment before. */
export async function warm(rig: Rig, path: string, headers: Lines, variant?: string): Promise<void> {
  await until('it is remembered', async () => {
    const { hits } = await rig.during(() => rig.ask(path, headers, variant === undefined ? {} : { variant }), variant);
    return hits === 1;
  });
}

let made = 0;

/** A session that nobody has had before, as the value of a cookie or a token. */
export function session(rig: Pick<Rig, 'ory'>, person: string, change: Record<string, unknown> = {}): string {
  const value = `s-${person}-${made++}-${'x'.repeat(20)}`;
  rig.ory.session(value, person, change);
  return value;
}

/** An opaque access token, as Hydra makes them: with a dot. */
export function opaque(rig: Pick<Rig, 'ory'>, person: string, change: Record<string, unknown> = {}): string {
  const value = `ory_at_${person}${made++}${'x'.repeat(30)}.${'y'.repeat(43)}`;
  const now = Math.floor(Date.now() / 1_000);
  rig.ory.opaque.set(value, {
    active: true,
    token_use: 'access_token',
    token_type: 'Bearer',
    iss: rig.ory.issuer,
    sub: person,
    client_id: 'client',
    aud: ['https://api.test'],
    exp: now + 300,
    iat: now,
    nbf: now,
    scope: 'read',
    ...change,
  });
  return value;
}

export const cookie = (value: string): Lines => [['Cookie', `ory_kratos_session=${value}`]];
export const token = (value: string): Lines => [['X-Session-Token', value]];
export const bearer = (value: string): Lines => [['Authorization', `Bearer ${value}`]];
