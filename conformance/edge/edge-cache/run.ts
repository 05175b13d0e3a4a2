// Generated sequences to an edge with the edge cache and to one without, at the same moment: the same verdicts and
// identities, but for what `cache.ttl` allows of a credential that has ended, or of an Ory that does not answer. And no
// yes, of either, that rests on a word of Ory older than `cache.ttl`. Runs programs, opens ports.
import fc from 'fast-check';
import { TRANSPORTS, type Transport } from '../../../src/generate/envoy/transport.ts';
import type { Counts } from './rig.ts';
import { rounds } from './sequence.ts';
import { type Forms, type Tally, World, type WorldOptions } from './world.ts';

const ROUNDS_PER_SAMPLE = 40;

export interface EdgeCacheRun extends Readonly<Tally> {
  readonly counts: Readonly<Record<Transport, Counts>>;
  readonly forms: Readonly<Record<Transport, Forms>>;
  /** Empty where everything is as it must be. */
  readonly differences: readonly string[];
  readonly seconds: number;
}

export interface EdgeCacheRunOptions extends Pick<WorldOptions, 'script'> {
  readonly seed: number;
  readonly requests: number;
  /** Default both. */
  readonly transports?: readonly Transport[];
  readonly onProgress?: (requests: number, seconds: number) => void;
}

export async function runEdgeCache(options: EdgeCacheRunOptions): Promise<EdgeCacheRun> {
  const { seed, requests, transports = TRANSPORTS, script, onProgress } = options;
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1_000;
  const tally: Tally = { requests: 0, outcomes: new Map(), allowed: new Map() };
  const differences: string[] = [];
  const counts = {} as Record<Transport, Counts>;
  const forms = {} as Record<Transport, Forms>;
  for (const transport of transports) {
    const world = await World.start({ transport, ...(script ? { script } : {}) });
    try {
      // Of its own: one sample may be larger than the share of both.
      const end = tally.requests + Math.ceil(requests / transports.length);
      for (let sample = seed; tally.requests < end && differences.length === 0; sample++) {
        differences.push(...(await world.open(tally)));
        const all = fc.sample(rounds, { seed: sample, numRuns: ROUNDS_PER_SAMPLE, unbiased: true });
        for (const [n, round] of all.entries()) {
          if (differences.length > 0) break;
          // With the authorizer away now and then, for one round.
          differences.push(...(await world.play(round, tally, n === ROUNDS_PER_SAMPLE - 1)));
        }
        onProgress?.(tally.requests, seconds());
      }
      counts[transport] = await world.counts();
      forms[transport] = await world.forms();
    } finally {
      await world.close();
    }
    if (differences.length > 0) break;
  }
  return { ...tally, counts, forms, differences, seconds: seconds() };
}

export function reportEdgeCache(run: EdgeCacheRun): string {
  const { requests, counts, forms, outcomes, allowed, differences, seconds } = run;
  const sorted = (map: ReadonlyMap<string, number>) =>
    [...map].sort(([, a], [, b]) => b - a).map(([name, n]) => `  ${name}: ${n}`);
  return [
    `${requests} requests, each with and without the edge cache, in ${seconds.toFixed(0)} s`,
    '',
    ...Object.entries(counts).flatMap(([transport, { hits, misses, stores, asked }]) => [
      `Over ${transport}: ${hits} hits, ${misses} misses, ${stores} stored, ${asked} checks`,
      ...Object.entries(forms[transport as Transport]).map(
        ([form, { asked, yeses, hits }]) =>
          `  ${form}: ${asked} asked, ${yeses} let in as somebody, ${hits} from memory`,
      ),
    ]),
    'What came of them:',
    ...sorted(outcomes),
    'Different, as cache.ttl allows:',
    ...(allowed.size === 0 ? ['  never'] : sorted(allowed)),
    '',
    ...(differences.length === 0 ? ['No difference.'] : ['DIFFERENCES:', ...differences]),
  ].join('\n');
}
