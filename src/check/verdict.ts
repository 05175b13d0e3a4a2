// The outcome of a check, before a transport writes it. No I/O.
import type { Requirement, Rule } from '../config/config.ts';
import type { Credential } from './credential/credential.ts';
import type { LoginQuery } from './decide.ts';
import type { Identity } from './identity/identity.ts';
import type { AllowReason, DenyReason } from './reason.ts';

export interface Allow {
  readonly kind: 'allow';
  readonly reason: AllowReason;
  readonly rule: Rule;
  /** Undefined for a request that is let through without one. */
  readonly identity: Identity | undefined;
  readonly setCookie: readonly string[];
  /** What this yes rests on, and until when; undefined where nobody may go by it without asking. */
  readonly remember: Remember | undefined;
}

export interface Remember {
  readonly credential: Credential;
  /** By the clock of the check. */
  readonly untilMs: number;
}

export interface Deny {
  readonly kind: 'deny';
  readonly reason: DenyReason;
  /** Undefined where no rule was reached. */
  readonly rule: Rule | undefined;
  /** The alternative of the rule that `reason` is about; undefined where it is about none. */
  readonly requirement: Requirement | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Where Kratos itself sends a browser to put it right. */
  readonly remedyUrl: string | undefined;
  /** What puts it right at Kratos's login where Kratos named no address. */
  readonly loginQuery: LoginQuery | undefined;
}

export type Verdict = Allow | Deny;

export function deny(
  reason: DenyReason,
  rule?: Rule,
  { requirement, retryAfterSeconds, remedyUrl, loginQuery }: DenyDetails = {},
): Deny {
  return { kind: 'deny', reason, rule, requirement, retryAfterSeconds, remedyUrl, loginQuery };
}

type DenyDetails = {
  readonly [K in 'requirement' | 'retryAfterSeconds' | 'remedyUrl' | 'loginQuery']?: Deny[K] | undefined;
};
