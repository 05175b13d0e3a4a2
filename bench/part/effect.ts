// From a change of what is allowed to its effect at an Envoy that reads keys and script from files: a session that is
// revoked, a key that is new, a key that was removed. Starts programs, writes files.
import { mkdtemp } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { counter } from '../../conformance/edge/rig/counter.ts';
import { freePorts } from '../../conformance/ports.ts';
import { until } from '../../conformance/until.ts';
import { parseConfig } from '../../src/config/load.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import { startServe } from '../contender/asked.ts';
import type { Surroundings } from '../contender/contender.ts';
import { ask } from '../contender/verify.ts';
import type { Started } from '../load/process.ts';
import { type Series, seriesOf } from '../report/statistics.ts';
import { COOKIE, cookieOf } from '../stand-in/credentials.ts';
import { AUDIENCE, type Issuer, makeIssuer } from '../stand-in/issuer.ts';
import { type Kratos, startKratos } from '../stand-in/processes.ts';
import { sessionIdOf } from '../stand-in/whoami.ts';

export interface EffectResult {
  readonly rows: readonly {
    readonly what: string;
    /** What is wanted at most, where something is. */
    readonly mostMs?: number;
    /** Milliseconds. */
    readonly time: Series;
  }[];
}

export interface EffectOptions {
  readonly revocations: number;
  readonly rotations: number;
}

const ADMIN_TOKEN = 'a-token-of-the-bench-that-opens-nothing-else';
const SKIPPED = 'http.edge.ext_authz.ory.disabled';

interface Edge {
  readonly url: string;
  readonly adminUrl: string;
  readonly envoy: RunningEnvoy;
  readonly authorizer: Started;
  readonly kratos: Kratos;
}

export async function effect(surroundings: Surroundings, options: EffectOptions): Promise<EffectResult> {
  const issuer = makeIssuer(surroundings.issuer.name, Date.now());
  const edge = await startEdge(surroundings, issuer);
  const agent = new Agent({ keepAlive: true });
  try {
    const revoked = await revocations(edge, agent, options.revocations);
    const keys = await rotations(edge, agent, issuer, options.rotations);
    return {
      rows: [
        { what: '`POST /revoke`, until its answer', time: seriesOf(revoked.answered) },
        { what: '`POST /revoke`, until the first request is refused', mostMs: 100, time: seriesOf(revoked.refused) },
        {
          what: 'a new key that the authorizer has fetched, until Envoy says yes by itself',
          mostMs: 50,
          time: seriesOf(keys.taken),
        },
        {
          what: 'a removed key, from the fetch that lacks it until its token is refused',
          mostMs: 50,
          time: seriesOf(keys.refused),
        },
      ],
    };
  } finally {
    agent.destroy();
    await edge.envoy.stop();
    await edge.authorizer.stop();
    await edge.kratos.process.stop();
  }
}

async function startEdge(surroundings: Surroundings, issuer: Issuer): Promise<Edge> {
  const kratos = await startKratos(surroundings.cores.rest, 0, issuer);
  const [http = 0, grpc = 0, admin = 0, envoyAdmin = 0] = await freePorts(4);
  const folder = await mkdtemp(join(surroundings.folder, 'fed-'));
  const text = JSON.stringify({
    ory: {
      kratos: { public_url: kratos.url },
      hydra: { issuer: issuer.name, jwks_url: `${kratos.url}/.well-known/jwks.json` },
    },
    tokens: { audiences: [AUDIENCE] },
    rules: [
      { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
      { name: 'app', match: { path: '/**' }, require: { session: {} } },
    ],
    cache: { ttl: '20m', edge_ttl: '20m' },
    edge: { listen: '127.0.0.1:0', admin: `127.0.0.1:${envoyAdmin}`, upstream: surroundings.applicationUrl },
    serve: {
      http: `127.0.0.1:${http}`,
      grpc: `127.0.0.1:${grpc}`,
      admin: `127.0.0.1:${admin}`,
      admin_token: ADMIN_TOKEN,
    },
  });
  const config = parseConfig(text, 'bench.yaml', { env: {} });
  const authorizer = await startServe(surroundings, text, admin, ['--envoy-config', folder]);
  const envoy = await startEnvoy({
    path: surroundings.envoy.path,
    config: generateEnvoy(config, { part: 'bootstrap', envoyConfig: folder }),
  });
  return {
    url: `http://127.0.0.1:${envoy.listenPort}`,
    adminUrl: `http://127.0.0.1:${admin}`,
    envoy,
    authorizer,
    kratos,
  };
}

/** @throws where a request that begins after the answer still gets in. */
async function revocations(edge: Edge, agent: Agent, count: number) {
  const times = { answered: [] as number[], refused: [] as number[] };
  for (let person = 0; person < count; person++) {
    const line = `Cookie: ${COOKIE}=${cookieOf(person)}`;
    const request = () => ask(`${edge.url}/orders/1`, line, agent);
    await until('the session is remembered by Envoy', async () => {
      const before = await counter(edge.envoy, SKIPPED);
      return (await request()).status === 200 && (await counter(edge.envoy, SKIPPED)) > before;
    });
    await fetch(`${edge.kratos.url}/end/${person}`);
    const started = performance.now();
    let answeredAt = Number.POSITIVE_INFINITY;
    const answer = fetch(`${edge.adminUrl}/revoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ session: sessionIdOf(person) }),
    }).then(async (response) => {
      answeredAt = performance.now();
      if (response.status !== 200) throw new Error(`the revocation was answered with ${await response.text()}`);
    });
    for (;;) {
      const sentAt = performance.now();
      if ((await request()).status === 401) break;
      if (sentAt > answeredAt) throw new Error('a session that was revoked got in after the answer');
    }
    times.refused.push(performance.now() - started);
    await answer;
    times.answered.push(answeredAt - started);
  }
  return times;
}

/** One key goes and another comes, each time both are there for a while. */
async function rotations(edge: Edge, agent: Agent, first: Issuer, count: number) {
  const times = { taken: [] as number[], refused: [] as number[] };
  // Nobody has its key: its tokens make the authorizer look for it.
  const stranger = makeIssuer(first.name, Date.now()).tokenOf(0);
  const get = (token: string) => ask(`${edge.url}/api/1`, `Authorization: Bearer ${token}`, agent);
  let old = first;
  for (let round = 0; round < count; round++) {
    const next = makeIssuer(first.name, Date.now());
    await publish(edge, [next, old], () => get(stranger));
    const token = next.tokenOf(round);
    let fetched = await givenAt(edge);
    for (;;) {
      const before = await counter(edge.envoy, SKIPPED);
      if ((await get(token)).status !== 200) throw new Error('a token of a new key was refused');
      if ((await counter(edge.envoy, SKIPPED)) > before) break;
    }
    times.taken.push(now() - fetched);
    const gone = old.tokenOf(round);
    if ((await get(gone)).status !== 200) throw new Error('a token was refused whose key is still there');
    await publish(edge, [next], () => get(stranger));
    fetched = await givenAt(edge);
    while ((await get(gone)).status !== 401);
    times.refused.push(now() - fetched);
    old = next;
  }
  return times;
}

/** Resolves when the authorizer has fetched them, which a token of an unknown key makes it do. */
async function publish(edge: Edge, issuers: readonly Issuer[], askForKeys: () => Promise<unknown>): Promise<void> {
  const body = JSON.stringify({ keys: issuers.map(({ key }) => key) });
  await fetch(`${edge.kratos.url}/.well-known/jwks.json`, { method: 'PUT', body });
  while ((await givenAt(edge)) === 0) await askForKeys();
}

async function givenAt({ kratos }: Edge): Promise<number> {
  return Number(await (await fetch(`${kratos.url}/keys-given`)).text());
}

/** Of the epoch, as other processes have it. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
