// How much is measured: for figures that are published, and for a look while one builds. No I/O.
import { CONTENDERS } from './contender/contenders.ts';

export interface Settings {
  readonly quick: boolean;
  /** Ids, in the order of the tables. */
  readonly contenders: readonly string[];
  /** Of a slice of load. */
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  /** Sessions where nothing else is said. */
  readonly people: number;
  /** Compared with each other by the number of sessions. */
  readonly peopleSteps: readonly number[];
  readonly whoamiMs: number;
  readonly latency: { readonly seconds: number; readonly rounds: number; readonly pauseMs: number };
  readonly pairs: number;
  readonly memory: { readonly sessions: number; readonly before: number };
  readonly clients: number;
  readonly starts: number;
  readonly effect: { readonly revocations: number; readonly rotations: number };
}

export const FULL: Settings = {
  quick: false,
  contenders: CONTENDERS.map(({ id }) => id),
  seconds: 2,
  rounds: 7,
  connections: 32,
  people: 1_000,
  peopleSteps: [1, 1_000, 40_000],
  whoamiMs: 20,
  latency: { seconds: 3, rounds: 5, pauseMs: 64 },
  pairs: 30,
  memory: { sessions: 40_000, before: 5_000 },
  clients: 1_000,
  starts: 7,
  effect: { revocations: 21, rotations: 5 },
};

export const QUICK: Settings = {
  ...FULL,
  quick: true,
  contenders: ['no-auth', 'jwt-authn', 'edge-cache', 'authorizer-http', 'empty-node'],
  seconds: 1,
  rounds: 2,
  peopleSteps: [1, 1_000],
  latency: { seconds: 1, rounds: 2, pauseMs: 64 },
  pairs: 4,
  memory: { sessions: 5_000, before: 1_000 },
  starts: 2,
  effect: { revocations: 5, rotations: 2 },
};
