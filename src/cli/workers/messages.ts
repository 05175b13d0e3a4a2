// What `serve` and its workers say to each other, over the channel that Node opens between a process and its child: never
// in arguments or the environment, where others could read it. No I/O.

import type { Credential } from '../../check/credential/credential.ts';
import type { Revocation } from '../../check/identity/cache/revocations.ts';
import type { Verification } from '../../check/identity/identity.ts';
import type { Address } from '../../config/config.ts';

/** `id` is the sender's, and comes back with the answer. */
export type ToWorker =
  /** The first. The policy as text: a worker that is started anew judges by the same one, whatever the file has become. */
  | {
      readonly kind: 'start';
      readonly worker: number;
      readonly file: string;
      readonly text: string;
      readonly addresses: Addresses;
      /** Whether Envoy verifies with `serve`'s keys: then a worker that sees other keys says so. */
      readonly fed: boolean;
    }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'forget'; readonly id: number; readonly revocation: Revocation }
  /** The issuer has other keys: they are fetched, so that no worker goes by one that was removed. */
  | { readonly kind: 'keys' }
  | { readonly kind: 'not-serving' }
  | { readonly kind: 'close' };

export type FromWorker =
  /** It listens to messages: from now on it may remember. */
  | { readonly kind: 'up' }
  | { readonly kind: 'listening'; readonly addresses: Addresses }
  | { readonly kind: 'failed'; readonly key: string; readonly address: Address; readonly code: string | undefined }
  | ({ readonly kind: 'question'; readonly id: number } & Question)
  | { readonly kind: 'forgotten'; readonly id: number }
  /** The issuer has other keys. */
  | { readonly kind: 'keys' };

export interface Addresses {
  readonly http: Address;
  readonly grpc: Address;
}

export interface Question {
  readonly credential: Credential;
  /** What is remembered is not enough. */
  readonly again: boolean;
}

export type Answer =
  /** `verification.cacheForMs` is what is left of the parent's own memory; `current`: Ory was asked for this question. */
  | { readonly kind: 'verification'; readonly verification: Verification; readonly current: boolean }
  /** A bug, which the parent has logged. */
  | { readonly kind: 'failure' };
