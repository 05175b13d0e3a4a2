// Batches of generated policies and requests, through a real Envoy and through the engine; what differs is made as small
// as it can be. Runs programs, opens ports.
import fc from 'fast-check';
import type { Config } from '../../src/config/config.ts';
import type { Compared } from './compare.ts';
import { type Policy, policies } from './policy.ts';
import { type Request, type RequestIntent, requests } from './request.ts';
import { type Batch, type Case, Rig } from './rig.ts';
import { Tally } from './tally.ts';

const POLICIES_PER_BATCH = 16;
/** At most; half of it on average. */
const REQUESTS_PER_POLICY = 600;
/** A shrunk case is tried so often: a difference in time alone would come and go. */
const SHRINK_LIMIT_MS = 240_000;

const cases: fc.Arbitrary<Case> = fc.record({
  policy: policies,
  requests: fc.array(requests, { minLength: 1, maxLength: REQUESTS_PER_POLICY, size: 'max' }),
});

export interface Difference {
  /** Both give the case again. */
  readonly seed: number;
  readonly path: string;
  readonly policy: Policy;
  readonly config: Config;
  readonly intent: RequestIntent;
  readonly request: Request;
  readonly compared: Compared;
}

export interface Run {
  readonly tally: Tally;
  readonly difference: Difference | undefined;
  readonly seconds: number;
}

export interface RunOptions {
  readonly seed: number;
  readonly requests: number;
  /** Default true: a difference is made as small as it can be, which takes minutes. */
  readonly shrink?: boolean;
  readonly onProgress?: (tally: Tally, seconds: number) => void;
}

/**
 * Stops at the first difference, or when so many requests have been compared and every reason was given; without one of
 * them, at three times as many.
 */
export async function run({ seed, requests: wanted, shrink: smaller = true, onProgress }: RunOptions): Promise<Run> {
  const rig = await Rig.start();
  const tally = new Tally();
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1_000;
  try {
    let next = rig.prepare(sample(seed));
    let closed = Promise.resolve();
    const isEnough = () => tally.total >= (tally.missing().length === 0 ? wanted : 3 * wanted);
    for (let batch = seed; !isEnough(); batch++) {
      const current = await next;
      // The next Envoy starts, and the last one ends, while this one is asked.
      next = rig.prepare(sample(batch + 1));
      const found = await ask(current, tally);
      await closed;
      closed = current.close();
      onProgress?.(tally, seconds());
      if (!found) continue;
      const difference = smaller ? await shrink(rig, batch, found) : as(batch, found);
      await Promise.all([closed, next.then((one) => one.close())]);
      return { tally, difference, seconds: seconds() };
    }
    await Promise.all([closed, next.then((one) => one.close())]);
    return { tally, difference: undefined, seconds: seconds() };
  } finally {
    await rig.close();
  }
}

function sample(seed: number): Case[] {
  return fc.sample(cases, { seed, numRuns: POLICIES_PER_BATCH, unbiased: true });
}

/** Runs one generated case again, and makes it smaller while it still differs. */
export async function replay(seed: number, path: string): Promise<Difference | undefined> {
  const rig = await Rig.start();
  try {
    return await shrunk(rig, seed, path);
  } finally {
    await rig.close();
  }
}

interface Found {
  readonly index: number;
  readonly difference: Omit<Difference, 'seed' | 'path'>;
}

/** The first difference, where there is one. */
async function ask(batch: Batch, tally: Tally): Promise<Found | undefined> {
  let found: Found | undefined;
  await batch.ask(({ policy, config, index }, intent, request, compared) => {
    tally.count(config, request, compared);
    if (compared.differences.length > 0) found ??= { index, difference: { policy, config, intent, request, compared } };
    return found !== undefined;
  });
  return found;
}

async function shrink(rig: Rig, seed: number, found: Found): Promise<Difference> {
  return (await shrunk(rig, seed, String(found.index))) ?? as(seed, found);
}

function as(seed: number, { index, difference }: Found): Difference {
  return { ...difference, seed, path: String(index) };
}

async function shrunk(rig: Rig, seed: number, path: string): Promise<Difference | undefined> {
  let last: Omit<Difference, 'seed' | 'path'> | undefined;
  const end = Date.now() + SHRINK_LIMIT_MS;
  const property = fc.asyncProperty(cases, async (one) => {
    if (Date.now() > end) return;
    const batch = await rig.prepare([one]);
    const found = await ask(batch, new Tally()).finally(() => batch.close());
    if (!found) return;
    last = found.difference;
    throw new Error('they differ');
  });
  const result = await fc.check(property, { seed, path, numRuns: POLICIES_PER_BATCH, unbiased: true });
  return last && { ...last, seed, path: path.includes(':') ? path : (result.counterexamplePath ?? path) };
}
