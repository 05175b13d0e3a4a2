// From a change of what is allowed to its effect at the edge: a key that rotates, a session that is revoked.
import type { Series } from '../report/statistics.ts';

export interface EffectResult {
  readonly rows: readonly {
    readonly what: string;
    /** Milliseconds. */
    readonly time: Series;
  }[];
}
