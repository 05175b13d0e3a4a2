// The parts of a run in turn, each with what it needs around it. Starts programs, writes files.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installPackages } from '../conformance/debian.ts';
import { ToolMissing } from '../conformance/go-program.ts';
import { findEnvoy } from '../src/edge/find.ts';
import type { Contender, Surroundings } from './contender/contender.ts';
import { contendersOf } from './contender/contenders.ts';
import { CONCURRENCY } from './contender/envoy.ts';
import { coresOf } from './load/process.ts';
import { wrkVersion } from './load/wrk.ts';
import { goVersion, loadOfMachine, machine, ownVersion } from './machine.ts';
import { atOnce } from './part/at-once.ts';
import { type CompareOptions, compare } from './part/compare.ts';
import { effect } from './part/effect.ts';
import { type Field, type Missing, startField } from './part/field.ts';
import { memory } from './part/memory.ts';
import { PAIR, paired } from './part/paired.ts';
import { start } from './part/start.ts';
import type { Circumstances, DecisionResult, Findings, Part, Result } from './report/results.ts';
import type { Settings } from './settings.ts';
import { makeIssuer } from './stand-in/issuer.ts';
import { type Kratos, startApplication, startKratos } from './stand-in/processes.ts';

const DECISION = fileURLToPath(new URL('part/decision.ts', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const ISSUER = 'https://issuer.example/';

/** The parts that need wrk. */
const LOADED: ReadonlySet<Part> = new Set(['throughput', 'latency', 'people', 'whoami', 'paired']);

/** What a part found, and which contenders it could not have. */
type Found<P extends Part> = Findings[P] & { readonly missing?: readonly Missing[] };
type Measures = { readonly [P in Part]: () => Promise<Found<P>> };

/** @throws where a contender does not do its job. */
export async function measureAll(
  parts: readonly Part[],
  settings: Settings,
  folder: string,
  onResult: <P extends Part>(part: P, result: Result<P>) => void,
): Promise<void> {
  const noLoad = await withoutWrk();
  const envoy = await findEnvoy({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  const cores = coresOf();
  const issuer = makeIssuer(ISSUER, Date.now());
  const application = await startApplication(envoy, cores.rest);
  const kratos = await startKratos(cores.rest, 0, issuer);
  const slowKratos = await startKratos(cores.rest, settings.whoamiMs, issuer);
  const surroundings: Surroundings = {
    envoy,
    cores,
    applicationUrl: `http://127.0.0.1:${application.listenPort}`,
    kratosUrl: kratos.url,
    issuer,
    program: PROGRAM,
    folder,
  };
  const versions: Record<string, string> = {
    'ory-envoy': ownVersion(),
    Envoy: envoy.version,
    Node: process.versions.node,
    wrk: (await wrkVersion()) ?? '',
    Go: (await goVersion()) ?? 'none',
  };
  const measures = measuresOf(settings, surroundings, kratos, slowKratos, versions);
  try {
    for (const part of parts) {
      const measure = measures[part];
      if (noLoad !== undefined && LOADED.has(part)) {
        process.stderr.write(`${part} is missing: ${noLoad}\n`);
        continue;
      }
      process.stderr.write(`${part}...\n`);
      const before = loadOfMachine();
      const found = await measure();
      const circumstances: Circumstances = {
        date: new Date().toISOString().slice(0, 10),
        machine: machine(),
        load: { before, after: loadOfMachine() },
        versions: { ...versions },
        envoyConcurrency: CONCURRENCY,
        cores,
        missing: found.missing ?? [],
      };
      onResult(part, { ...circumstances, ...found } as Result<typeof part>);
    }
  } finally {
    await Promise.all([application.stop(), kratos.process.stop(), slowKratos.process.stop()]);
  }
}

function measuresOf(
  settings: Settings,
  surroundings: Surroundings,
  kratos: Kratos,
  slowKratos: Kratos,
  versions: Record<string, string>,
): Measures {
  const { people, rounds, seconds, connections, latency, whoamiMs } = settings;
  const chosen = (ids: readonly string[]) => contendersOf(ids.filter((id) => settings.contenders.includes(id)));
  const all = contendersOf(settings.contenders);
  const load: CompareOptions = { people, rounds, seconds, connections };

  async function inField<T>(
    whom: Kratos,
    contenders: readonly Contender[],
    work: (field: Field) => Promise<T>,
  ): Promise<T & { readonly missing: readonly Missing[] }> {
    const field = await startField(surroundings, whom, contenders);
    try {
      for (const { contender, running } of field.entries)
        if (running.version !== undefined) versions[contender.id] = running.version;
      return { ...(await work(field)), missing: field.missing };
    } finally {
      await field.close();
    }
  }

  return {
    throughput: () =>
      inField(kratos, all, async (field) => ({ ...load, whoamiMs: 0, contenders: await compare(field, load) })),
    latency: () =>
      inField(kratos, all, async (field) => {
        const options = { ...load, ...latency };
        return { ...options, whoamiMs: 0, contenders: await compare(field, options) };
      }),
    people: () =>
      inField(kratos, chosen(['jwt-authn', 'edge-cache', 'authorizer-http', 'authorizer-grpc']), async (field) => {
        const fields = [];
        for (const count of settings.peopleSteps) {
          const options = { ...load, people: count, rounds: Math.ceil(rounds / 2) };
          fields.push({ ...options, whoamiMs: 0, contenders: await compare(field, options) });
        }
        return { fields };
      }),
    whoami: () =>
      inField(slowKratos, chosen(['edge-cache', 'authorizer-http', 'authorizer-grpc', 'oathkeeper']), async (field) => {
        const options = { ...load, rounds: Math.ceil(rounds / 2) };
        return { ...options, whoamiMs, contenders: await compare(field, options) };
      }),
    paired: () =>
      inField(kratos, PAIR, async (field) => ({
        people,
        seconds: 1,
        ...(await paired(field, { people, pairs: settings.pairs, seconds: 1, connections })),
      })),
    memory: async () => ({ rows: await memory(surroundings, kratos, settings.memory) }),
    'at-once': () =>
      inField(
        slowKratos,
        chosen(['edge-cache', 'authorizer-http', 'authorizer-grpc', 'oathkeeper']),
        async (field) => ({ whoamiMs, rows: await atOnce(field, settings.clients) }),
      ),
    start: () => start(surroundings, settings.starts),
    effect: () => effect(surroundings, settings.effect),
    decision: () => decision(settings.quick),
  };
}

/** In a process of its own, with memory for a million sessions and a garbage collector that can be asked. */
async function decision(quick: boolean): Promise<DecisionResult> {
  const args = ['--expose-gc', '--max-old-space-size=8192', DECISION, ...(quick ? ['--quick'] : [])];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 });
  return JSON.parse(stdout) as DecisionResult;
}

/** Why there can be no load; undefined where there can. */
async function withoutWrk(): Promise<string | undefined> {
  if ((await wrkVersion()) !== undefined) return undefined;
  if (installPackages(['wrk']) && (await wrkVersion()) !== undefined) return undefined;
  return new ToolMissing('wrk', 'it makes the load of the benchmark. Install it (apt-get install wrk).').message;
}
