// `WWW-Authenticate` of a denial (RFC 6750, section 3), on rules that take access tokens. No I/O.
import type { Config } from '../../config/config.ts';
import { DENIALS } from '../reason.ts';
import type { Deny } from '../verdict.ts';

/** Undefined where no access token could help. An error is named only where it is about a token that was presented. */
export function bearerChallenge(verdict: Deny, { edge }: Config): string | undefined {
  const access = verdict.rule?.access;
  if (access?.kind !== 'require' || !access.anyOf.some((one) => one.kind === 'token')) return undefined;
  const { status, title } = DENIALS[verdict.reason];
  const error = errorOf(verdict);
  // Without credentials RFC 9110 asks for a challenge; a 403 or 503 that is about no token has none.
  if (!error && status !== 401) return undefined;
  const parameters = {
    realm: edge.publicUrl,
    ...(error && { error: error.code, error_description: title }),
    ...(error?.scope && { scope: error.scope }),
  };
  return `Bearer ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}

interface BearerError {
  readonly code: 'invalid_request' | 'invalid_token' | 'insufficient_scope';
  /** With spaces between. */
  readonly scope?: string;
}

function errorOf({ reason, requirement }: Deny): BearerError | undefined {
  if (reason === 'credential_ambiguous') return { code: 'invalid_request' };
  if (requirement?.kind !== 'token') return undefined;
  switch (reason) {
    case 'scope_insufficient':
      // All of the alternative that the token was tried with last, not of every one: these are enough.
      return { code: 'insufficient_scope', scope: requirement.scopes.join(' ') };
    case 'claim_mismatch':
      return { code: 'insufficient_scope' };
    default:
      return DENIALS[reason].status === 401 ? { code: 'invalid_token' } : undefined;
  }
}
