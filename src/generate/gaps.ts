// Where a target does something else than the policy says, and no missing ability stands for it: each case is known, has a
// reason, and is shown to differ in just this way. No I/O.
import type { Target } from './target.ts';

export interface Gap {
  readonly target: Target;
  /** The name of the case in conformance/targets/. */
  readonly case: string;
  /** Whether the application is told more than the policy says; otherwise the target refuses more, or tells less. */
  readonly lenient: boolean;
  /** In a sentence's words. */
  readonly why: string;
  /** Of the target's own project. */
  readonly issue?: string;
}

export const GAPS: readonly Gap[] = [
  {
    target: 'istio',
    case: 'what is open is open to a token, which is nobody there',
    lenient: true,
    why: 'where Istio judges tokens by itself it does so for the whole workload: an open page is told the identity of a good token, too',
  },
  {
    target: 'istio',
    case: 'what is open is open to a token that is worth nothing',
    lenient: false,
    why: 'where Istio judges tokens by itself it does so for the whole workload: a bad token is refused at an open page, too',
  },
  {
    target: 'istio',
    case: 'a token that never ends',
    lenient: true,
    why: 'RequestAuthentication has no field that asks for an end; only the issuer could sign such a token, and Hydra signs none',
  },
  {
    target: 'oathkeeper',
    case: 'both, by a session that is none and a token',
    lenient: false,
    why: 'an authenticator that refuses what it finds ends it: a bad session is refused, whatever token is beside it',
  },
];
