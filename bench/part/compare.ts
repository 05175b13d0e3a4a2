// Contenders compared under one load: throughput, latency, CPU time. Starts programs.
import type { Contender, CredentialKind } from '../contender/contender.ts';
import { rounded, type Series, seriesOf } from '../report/statistics.ts';
import { type Entry, type Field, interleaved, type People, peopleOf, prepare, slice, verifyAfter } from './field.ts';

export interface CompareOptions {
  readonly people: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** Mean pause of a connection between two requests; without it, none. */
  readonly pauseMs?: number;
}

export interface Compared {
  readonly id: string;
  readonly title: string;
  readonly requestsPerSecond: Series;
  readonly p50Ms: Series;
  readonly p99Ms: Series;
  /** Microseconds of CPU for one request. */
  readonly cpuMicros: {
    readonly envoy: Series;
    readonly authorizer?: Series;
    readonly kratos?: Series;
  };
  readonly whoamisPerThousand: number;
}

export async function compare(field: Field, options: CompareOptions): Promise<readonly Compared[]> {
  const people = new Map<CredentialKind, People>();
  for (const { contender } of field.entries) {
    const { credential } = contender;
    if (!people.has(credential)) people.set(credential, await peopleOf(field.surroundings, credential, options.people));
  }
  const peopleFor = ({ credential }: Contender) => {
    const found = people.get(credential);
    if (!found) throw new Error(`nobody has a ${credential}`);
    return found;
  };
  const slices = new Map<Entry, Awaited<ReturnType<typeof slice>>[]>();
  for (const entry of field.entries) await prepare(field, entry, peopleFor(entry.contender));
  await interleaved(field.entries, options.rounds, async (entry, round) => {
    const taken = await slice(field, entry, peopleFor(entry.contender), { ...options, seed: round + 1 });
    slices.set(entry, [...(slices.get(entry) ?? []), taken]);
  });
  for (const entry of field.entries) await verifyAfter(field, entry, peopleFor(entry.contender));
  return field.entries.map(({ contender, running }) => {
    const taken = [...slices].find(([entry]) => entry.contender === contender)?.[1] ?? [];
    const series = (of: (one: (typeof taken)[number]) => number) => seriesOf(taken.map(of));
    const requests = taken.reduce((sum, one) => sum + one.requests, 0);
    const whoamisPerThousand = (1_000 * taken.reduce((sum, one) => sum + one.whoamis, 0)) / requests;
    return {
      id: contender.id,
      title: contender.title,
      requestsPerSecond: series((one) => one.requests / one.seconds),
      p50Ms: series((one) => one.p50Micros / 1_000),
      p99Ms: series((one) => one.p99Micros / 1_000),
      cpuMicros: {
        envoy: series((one) => one.cpu.envoy),
        ...(running.authorizer ? { authorizer: series((one) => one.cpu.authorizer) } : {}),
        ...(whoamisPerThousand >= 1 ? { kratos: series((one) => one.cpu.kratos) } : {}),
      },
      whoamisPerThousand: rounded(whoamisPerThousand),
    };
  });
}
