// What a run found: one file a part in bench/results, each with its machine and versions. Reads and writes those files.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine.ts';
import type { AtOnceRow } from '../part/at-once.ts';
import type { Compared } from '../part/compare.ts';
import type { EffectResult } from '../part/effect.ts';
import type { Missing } from '../part/field.ts';
import type { MemoryRow } from '../part/memory.ts';
import type { PairedResult } from '../part/paired.ts';
import type { StartResult } from '../part/start.ts';

export interface DecisionRow {
  readonly credential: 'session' | 'JWT';
  readonly remembered: boolean;
  readonly rules: number;
  readonly micros: number;
  /** Times the same with the fewest rules; for a token that is not remembered, times one that is. */
  readonly times: number;
  /** The middle half of the rounds' own ratios. */
  readonly from: number;
  readonly to: number;
}

export interface SessionsRow {
  readonly sessions: number;
  /** What each holds of the heap after everything that can be is freed. */
  readonly heapBytes: number;
  readonly micros: number;
  /** Times the same with the fewest sessions. */
  readonly times: number;
  readonly from: number;
  readonly to: number;
}

export interface DecisionResult {
  readonly rounds: number;
  readonly decisionsEachRound: number;
  readonly seed: number;
  readonly rules: readonly DecisionRow[];
  readonly sessions: readonly SessionsRow[];
}

export interface ComparedField {
  readonly people: number;
  readonly whoamiMs: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly contenders: readonly Compared[];
}

/** By the name of its file. */
export interface Findings {
  readonly throughput: ComparedField;
  readonly latency: ComparedField & { readonly pauseMs: number };
  readonly people: { readonly fields: readonly ComparedField[] };
  readonly whoami: ComparedField;
  readonly paired: PairedResult & { readonly people: number; readonly seconds: number };
  readonly memory: { readonly rows: readonly MemoryRow[] };
  readonly 'at-once': { readonly whoamiMs: number; readonly rows: readonly AtOnceRow[] };
  readonly start: StartResult;
  readonly decision: DecisionResult;
  readonly effect: EffectResult;
}

export const PARTS = [
  'throughput',
  'latency',
  'people',
  'whoami',
  'paired',
  'memory',
  'at-once',
  'start',
  'effect',
  'decision',
] as const satisfies readonly (keyof Findings)[];
export type Part = (typeof PARTS)[number];

export interface Circumstances {
  /** The day. */
  readonly date: string;
  readonly machine: Machine;
  /** Processes that ran or wanted to, in the minute before and in the last one. */
  readonly load: { readonly before: number; readonly after: number };
  readonly versions: Readonly<Record<string, string>>;
  /** Worker threads of every Envoy that is measured. */
  readonly envoyConcurrency: number;
  readonly cores: { readonly envoy: string; readonly rest: string };
  readonly missing: readonly Missing[];
}

export type Result<P extends Part = Part> = Circumstances & Findings[P];
export type Results = { readonly [P in Part]?: Result<P> };

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

export function writeResult<P extends Part>(part: P, result: Result<P>, folder: string = RESULTS): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${part}.json`), toJson(result));
}

/** Those that there are. */
export function readResults(folder: string = RESULTS): Results {
  return Object.fromEntries(
    PARTS.map((part) => [part, join(folder, `${part}.json`)] as const)
      .filter(([, file]) => existsSync(file))
      .map(([part, file]) => [part, JSON.parse(readFileSync(file, 'utf8'))]),
  );
}

/** Lists of numbers on one line: a reader looks at the rest. */
function toJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2);
  return `${text.replace(/\[[\d\s.,e+-]*\]/g, (list) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'))}\n`;
}
