// The figures that are to be reached, and whether they were. No I/O.
import type { Compared } from '../part/compare.ts';
import type { ComparedField, Results } from './results.ts';
import { ratiosOf } from './statistics.ts';

export interface Target {
  readonly what: string;
  readonly wanted: string;
  /** Undefined where it was not measured. */
  readonly found: Found | undefined;
  /** The same ratio in CPU time of all that decide, where a throughput could hide what waits for a core. */
  readonly byCpu?: number | undefined;
}

interface Found {
  readonly figure: number;
  /** The least and the most of the rounds. */
  readonly from?: number;
  readonly to?: number;
  readonly unit?: string;
  readonly reached: boolean;
}

export function targetsOf(results: Results): readonly Target[] {
  const { throughput, latency, paired, memory, start, effect, decision } = results;
  const worst = (rows: readonly { readonly times: number }[]) => Math.max(...rows.map(({ times }) => times));
  return [
    {
      what: 'edge cache against jwt_authn, ES256, cached (Envoy’s CPU time a request, pinned and paired)',
      wanted: 'at least 0.80, aim 0.9',
      found: paired && least({ ...paired.ratio, figure: paired.ratio.median }, 0.8),
    },
    throughputTarget(throughput, 'edge-cache', 'oathkeeper', 'edge cache against Oathkeeper `cookie_session`', 15),
    throughputTarget(
      throughput,
      'authorizer-http',
      'go-grpc',
      'authorizer over HTTP (cached) against the Go gRPC authorizer that does nothing',
      1.2,
    ),
    throughputTarget(
      throughput,
      'authorizer-http',
      'empty-node',
      'authorizer over HTTP (cached) against an empty node:http authorizer',
      0.85,
    ),
    throughputTarget(
      throughput,
      'authorizer-grpc',
      'go-grpc',
      'authorizer over gRPC (cached) against the same Go authorizer',
      0.6,
    ),
    {
      what: 'p99 of our authorizer against the empty one, under full load',
      wanted: 'at most 1.5',
      found: most(
        ratio(throughput, 'authorizer-http', 'empty-node', (one) => one.p99Ms.samples),
        1.5,
      ),
    },
    {
      what: 'the same, with half a thousand requests a second',
      wanted: 'at most 1.5',
      found: most(
        ratio(latency, 'authorizer-http', 'empty-node', (one) => one.p99Ms.samples),
        1.5,
      ),
    },
    ...(memory?.rows ?? [undefined]).map(
      (row): Target => ({
        what: `memory a session in the edge cache${row ? ` (${row.credential}, ${row.characters} characters)` : ''}`,
        wanted: 'at most 700 bytes',
        found: row && most({ figure: row.edgeCacheBytes, unit: 'bytes' }, 700),
      }),
    ),
    {
      what: 'memory a session in the authorizer (100,000 of them, what is left of the heap)',
      wanted: 'at most 700 bytes',
      found: decision && most(heapOf(decision.sessions), 700),
    },
    {
      what: '`serve` ready',
      wanted: 'at most 0.5 s',
      found: start && most({ ...start.serve, figure: start.serve.median, unit: 's' }, 0.5),
    },
    ...(effect?.rows ?? []).flatMap(({ what, mostMs, time }): Target[] =>
      mostMs === undefined
        ? []
        : [{ what, wanted: `at most ${mostMs} ms`, found: most({ ...time, figure: time.median, unit: 'ms' }, mostMs) }],
    ),
    {
      what: 'a decision with ten thousand rules against one with ten',
      wanted: 'at most 1.5',
      found: decision && most({ figure: worst(decision.rules.filter(({ remembered }) => remembered)) }, 1.5),
    },
  ];
}

type Figure = Omit<Found, 'reached'>;

function heapOf(rows: readonly { readonly sessions: number; readonly heapBytes: number }[]): Figure | undefined {
  const row = rows.find(({ sessions }) => sessions === 100_000);
  return row && { figure: row.heapBytes, unit: 'bytes' };
}

function throughputTarget(
  field: ComparedField | undefined,
  over: string,
  under: string,
  what: string,
  atLeast: number,
): Target {
  return {
    what: `${what} (throughput)`,
    wanted: `at least ${atLeast}`,
    found: least(
      ratio(field, over, under, (one) => one.requestsPerSecond.samples),
      atLeast,
    ),
    byCpu: ratio(field, under, over, cpuSamples)?.figure,
  };
}

function ratio(
  field: ComparedField | undefined,
  over: string,
  under: string,
  samples: (one: Compared) => readonly number[],
): Figure | undefined {
  const find = (id: string) => field?.contenders.find((one) => one.id === id);
  const [a, b] = [find(over), find(under)];
  if (!a || !b) return undefined;
  const { median, from, to } = ratiosOf(samples(a), samples(b));
  return { figure: median, from, to };
}

/** Of all that decide, round by round. */
function cpuSamples({ cpuMicros: { envoy, authorizer, kratos } }: Compared): readonly number[] {
  return envoy.samples.map((micros, i) => micros + (authorizer?.samples[i] ?? 0) + (kratos?.samples[i] ?? 0));
}

function least(figure: Figure | undefined, bound: number): Found | undefined {
  return figure && { ...kept(figure), reached: figure.figure >= bound };
}

function most(figure: Figure | undefined, bound: number): Found | undefined {
  return figure && { ...kept(figure), reached: figure.figure <= bound };
}

function kept({ figure, from, to, unit }: Figure): Figure {
  return {
    figure,
    ...(from === undefined || to === undefined ? {} : { from, to }),
    ...(unit === undefined ? {} : { unit }),
  };
}
