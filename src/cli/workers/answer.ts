// In the parent: a worker's question, answered through the one identity cache that all workers share. Asks Ory.

import type { Clock } from '../../check/clock.ts';
import type { CachedVerification, IdentityCache } from '../../check/identity/cache/memory.ts';
import type { Verification, Verifier } from '../../check/identity/identity.ts';
import type { Answer, Question } from './messages.ts';

export interface AnswerParts {
  readonly cache: IdentityCache;
  readonly verifiers: { readonly session: Verifier | undefined; readonly token: Verifier | undefined };
  readonly clock: Clock;
}

export async function answerQuestion(
  { credential, again }: Question,
  { cache, verifiers, clock }: AnswerParts,
): Promise<Answer> {
  const verifier = credential.kind === 'access_token' ? verifiers.token : verifiers.session;
  if (!verifier) throw new Error(`no verifier for ${credential.kind}`);
  let current = false;
  const seen: Verifier = {
    async verify(one) {
      const verification = await verifier.verify(one);
      // In an outage the cache may go by what it remembers.
      current = verification.kind !== 'unavailable';
      return verification;
    },
    stillTrusted: (identity) => verifier.stillTrusted(identity),
  };
  const verification = await cache.verify(credential, seen, () => !again);
  return { kind: 'verification', verification: withRest(verification, clock()), current };
}

/** How long it is still good for, instead of until when: the worker counts from before it asked. */
function withRest(verification: CachedVerification, nowMs: number): Verification {
  if (verification.kind !== 'verified') return verification;
  const { kind, identity, setCookie, freshUntilMs } = verification;
  return { kind, identity, setCookie, cacheForMs: freshUntilMs - nowMs };
}
