import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEnvoy } from '../src/edge/find.ts';
import { CONTENDERS, contendersOf } from './contender/contenders.ts';
import { coresOf } from './load/process.ts';
import { compare } from './part/compare.ts';
import { startField } from './part/field.ts';
import { makeIssuer } from './stand-in/issuer.ts';
import { startApplication, startKratos } from './stand-in/processes.ts';

const envoy = await findEnvoy();
const cores = coresOf();
const issuer = makeIssuer('https://issuer.example/', Date.now());
const app = await startApplication(envoy, cores.rest);
const kratos = await startKratos(cores.rest, 0, issuer);
const folder = await mkdtemp(join(tmpdir(), 'ory-envoy-bench-'));
const ids = process.argv[2] ? process.argv[2].split(',') : CONTENDERS.map((c) => c.id);
const field = await startField(
  {
    envoy,
    cores,
    applicationUrl: `http://127.0.0.1:${app.listenPort}`,
    kratosUrl: kratos.url,
    issuer,
    program: new URL('../src/cli/main.ts', import.meta.url).pathname,
    folder,
  },
  kratos,
  contendersOf(ids),
);
console.log(field.missing);
const r = await compare(field, {
  people: Number(process.argv[3] ?? 1000),
  rounds: Number(process.argv[4] ?? 2),
  seconds: 1,
  connections: 32,
  ...(process.argv[5] ? { pauseMs: Number(process.argv[5]) } : {}),
}).catch((e) => {
  console.error(e);
  return [];
});
for (const c of r)
  console.log(
    c.id.padEnd(16),
    c.requestsPerSecond.median,
    c.p50Ms.median,
    c.p99Ms.median,
    c.cpuMicros.envoy.median,
    c.cpuMicros.authorizer?.median,
    c.cpuMicros.kratos?.median,
    c.whoamisPerThousand,
  );
await field.close();
await kratos.process.stop();
await app.stop();
await rm(folder, { recursive: true });
