// In a worker: who verifies what only Ory knows. The parent is asked, so that one session makes one whoami however many
// workers there are. Sends messages.

import type { Credential } from '../../check/credential/credential.ts';
import { isShort } from '../../check/identity/cache/memory.ts';
import type { Enough, Identity, Verification, Verifier } from '../../check/identity/identity.ts';
import type { Answer, Question } from './messages.ts';

export class ParentVerifier implements Verifier {
  readonly #send: (id: number, question: Question) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(send: (id: number, question: Question) => void) {
    this.#send = send;
  }

  async verify(credential: Credential, enough: Enough = () => true): Promise<Verification> {
    const first = await this.#ask({ credential, again: false });
    // What the parent remembers may be from before the login or the second factor that this request comes from.
    if (first.current || !isShort(first.verification, enough)) return bounded(first);
    return bounded(await this.#ask({ credential, again: true }));
  }

  stillTrusted(identity: Identity): boolean {
    return identity.kind === 'session' || identity.proof === 'introspection';
  }

  answered(id: number, answer: Answer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  async #ask(question: Question): Promise<Verified> {
    const id = ++this.#last;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send(id, question);
    });
    // The outermost catch of a check makes a denial of it.
    if (answer.kind === 'failure') throw new Error('the parent could not answer');
    return answer;
  }
}

type Verified = Extract<Answer, { kind: 'verification' }>;

/** A no that is remembered already is remembered there: here it would begin anew. */
function bounded({ verification, current }: Verified): Verification {
  return verification.kind === 'rejected' && !current ? { ...verification, ory: false } : verification;
}
