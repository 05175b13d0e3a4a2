// Where a target lets in what the policy does not: each is known, has a reason, and is shown to be so. No I/O.
import type { Target } from '../../src/generate/target.ts';

export interface Gap {
  readonly target: Target;
  /** The name of the case. */
  readonly case: string;
  /** In a sentence's words. */
  readonly why: string;
  /** Of the target's own project. */
  readonly issue?: string;
}

export const GAPS: readonly Gap[] = [];
