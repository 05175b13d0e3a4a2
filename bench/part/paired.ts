// What Envoy itself spends on a request with the edge cache, and with jwt_authn: alternating short slices, so that what
// else the machine does hits both alike. Starts programs.
import { contendersOf } from '../contender/contenders.ts';
import { ratiosOf, type Series, seriesOf } from '../report/statistics.ts';
import { type Field, peopleOf, prepare, slice, verifyAfter } from './field.ts';

export const PAIR = contendersOf(['edge-cache', 'jwt-authn']);

export interface PairedResult {
  readonly edgeCacheMicros: Series;
  readonly jwtAuthnMicros: Series;
  /** jwt_authn's cost over the edge cache's: 1 where they are equal, more where the edge cache is cheaper. */
  readonly ratio: Series;
}

export interface PairedOptions {
  readonly people: number;
  readonly pairs: number;
  readonly seconds: number;
  readonly connections: number;
}

export async function paired(field: Field, options: PairedOptions): Promise<PairedResult> {
  const sides = await Promise.all(
    field.entries.map(async (entry) => ({
      entry,
      people: await peopleOf(field.surroundings, entry.contender.credential, options.people),
      micros: [] as number[],
    })),
  );
  for (const { entry, people } of sides) await prepare(field, entry, people);
  for (let pair = 0; pair < options.pairs; pair++) {
    // Each goes first as often as the other.
    for (const side of pair % 2 === 0 ? sides : [...sides].reverse()) {
      const { cpu } = await slice(field, side.entry, side.people, { ...options, seed: pair + 1 });
      side.micros.push(cpu.envoy);
    }
  }
  for (const { entry, people } of sides) await verifyAfter(field, entry, people);
  const [edgeCache, jwtAuthn] = sides;
  if (!edgeCache || !jwtAuthn) throw new Error('a pair is two');
  return {
    edgeCacheMicros: seriesOf(edgeCache.micros),
    jwtAuthnMicros: seriesOf(jwtAuthn.micros),
    ratio: ratiosOf(jwtAuthn.micros, edgeCache.micros),
  };
}
