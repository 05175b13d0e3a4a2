// Contenders that run side by side, and what one slice of load on one of them uses. Starts programs, writes files.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolMissing } from '../../conformance/go-program.ts';
import { until } from '../../conformance/until.ts';
import type { Contender, CredentialKind, RunningContender, Surroundings } from '../contender/contender.ts';
import { askAll, headerLine, urlOf, verify } from '../contender/verify.ts';
import { cpuMicros } from '../load/process.ts';
import { type LoadResult, load } from '../load/wrk.ts';
import type { Kratos } from '../stand-in/processes.ts';

export interface Slice extends LoadResult {
  /** Microseconds of CPU for one request. */
  readonly cpu: { readonly envoy: number; readonly authorizer: number; readonly kratos: number };
  readonly whoamis: number;
}

export interface Entry {
  readonly contender: Contender;
  readonly running: RunningContender;
}

export interface Missing {
  readonly id: string;
  readonly title: string;
  readonly why: string;
}

export interface Field {
  readonly surroundings: Surroundings;
  readonly kratos: Kratos;
  readonly entries: readonly Entry[];
  readonly missing: readonly Missing[];
  close(): Promise<void>;
}

/** A contender that this machine has no tool for is listed as missing; one that does not start otherwise is a fault. */
export async function startField(
  surroundings: Surroundings,
  kratos: Kratos,
  contenders: readonly Contender[],
): Promise<Field> {
  const entries: Entry[] = [];
  const missing: Missing[] = [];
  const close = async () => {
    for (const { running } of entries.splice(0)) await running.close();
  };
  try {
    for (const contender of contenders) {
      try {
        entries.push({ contender, running: await contender.start({ ...surroundings, kratosUrl: kratos.url }) });
      } catch (error) {
        if (!(error instanceof ToolMissing)) throw error;
        missing.push({ id: contender.id, title: contender.title, why: error.message });
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { surroundings, kratos, entries, missing, close };
}

export interface People {
  readonly count: number;
  /** A file with the header line of each. */
  readonly file: string;
  readonly lines: readonly string[];
}

export async function peopleOf(
  { issuer, folder }: Surroundings,
  credential: CredentialKind,
  count: number,
): Promise<People> {
  const lines = Array.from({ length: count }, (_, person) => headerLine({ credential }, person, issuer));
  const file = join(folder, `${credential}-${count}`);
  await writeFile(file, `${lines.join('\n')}\n`);
  return { count, file, lines };
}

/** Everyone asks once, and what the contender must do is seen to be done. */
export async function prepare({ surroundings }: Field, { contender, running }: Entry, people: People): Promise<void> {
  const { issuer } = surroundings;
  // An authorizer that is ready may still be reading its rules, and an Envoy fetching its keys.
  let problem: unknown;
  await until(`${contender.id} answers`, async () => {
    try {
      await verify(contender, running, someOf(people), issuer);
      return true;
    } catch (error) {
      problem = error;
      return false;
    }
  }).catch(() => {
    throw problem;
  });
  await askAll(urlOf(running), people.lines);
}

export async function verifyAfter({ surroundings }: Field, entry: Entry, people: People): Promise<void> {
  await verify(entry.contender, entry.running, someOf(people), surroundings.issuer);
}

function someOf({ count }: People): number[] {
  return [...new Set([0, Math.floor(count / 2), count - 1])];
}

export interface SliceOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly seed: number;
  readonly pauseMs?: number;
}

export async function slice(field: Field, entry: Entry, people: People, options: SliceOptions): Promise<Slice> {
  const { running } = entry;
  const { cores } = field.surroundings;
  const pids = {
    envoy: running.envoy.pid,
    authorizer: running.authorizer?.pid,
    kratos: field.kratos.process.pid,
  };
  const usage = () => ({
    envoy: cpuMicros(pids.envoy),
    authorizer: pids.authorizer === undefined ? 0 : cpuMicros(pids.authorizer),
    kratos: cpuMicros(pids.kratos),
  });
  const whoamisBefore = await field.kratos.whoamis();
  const before = usage();
  const result = await load({ ...options, url: urlOf(running), file: people.file, cores: cores.rest });
  const after = usage();
  const each = (key: keyof typeof before) => (after[key] - before[key]) / result.requests;
  return {
    ...result,
    cpu: { envoy: each('envoy'), authorizer: each('authorizer'), kratos: each('kratos') },
    whoamis: (await field.kratos.whoamis()) - whoamisBefore,
  };
}

/** Rounds in which each is measured once, and each begins as often as every other. */
export async function interleaved<T>(
  entries: readonly T[],
  rounds: number,
  measure: (entry: T, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[(round + i) % entries.length];
      if (entry !== undefined) await measure(entry, round);
    }
  }
}
