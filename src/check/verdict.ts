// The outcome of a check, before a transport writes it. No I/O.
import type { Requirement, Rule } from '../config/config.ts';
import type { Identity } from './identity/identity.ts';
import type { AllowReason, DenyReason } from './reason.ts';

export interface Allow {
  readonly kind: 'allow';
  readonly reason: AllowReason;
  readonly rule: Rule;
  /** Undefined for a request that is let through without one. */
  readonly identity: Identity | undefined;
  readonly setCookie: readonly string[];
}

export interface Deny {
  readonly kind: 'deny';
  readonly reason: DenyReason;
  /** Undefined where no rule was reached. */
  readonly rule: Rule | undefined;
  /** The alternative of the rule that `reason` is about; undefined where it is about none. */
  readonly requirement: Requirement | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Where Kratos sends a browser to put it right. */
  readonly remedyUrl: string | undefined;
}

export type Verdict = Allow | Deny;

export function deny(
  reason: DenyReason,
  rule?: Rule,
  {
    requirement,
    retryAfterSeconds,
    remedyUrl,
  }: {
    requirement?: Requirement | undefined;
    retryAfterSeconds?: number | undefined;
    remedyUrl?: string | undefined;
  } = {},
): Deny {
  return { kind: 'deny', reason, rule, requirement, retryAfterSeconds, remedyUrl };
}
