// Opaque access tokens, as Ory Hydra judges them: POST /admin/oauth2/introspect with the token, alone (RFC 7662).
// https://www.ory.sh/docs/reference/api#tag/oAuth2/operation/introspectOAuth2Token
import type { IntrospectionSettings } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { ThrottledLog } from '../log.ts';
import { type JsonObject, rejected, type Verification, type Verifier } from './identity.ts';
import { outageAt, parseObject, retryAfter } from './ory-answer.ts';
import type { OryAnswer, OryClient } from './ory-client.ts';
import { areRegisteredTypes, audiencesOf, timeFault } from './registered-claims.ts';

export interface IntrospectionOptions extends IntrospectionSettings {
  /** Compared byte for byte. */
  readonly issuer: string;
  readonly clockSkewMs: number;
  readonly client: Pick<OryClient, 'ask'>;
  readonly clock: Clock;
  readonly log: ThrottledLog;
}

/** Verifies `access_token` credentials that are opaque. */
export function createIntrospectionVerifier(options: IntrospectionOptions): Verifier {
  const { url, apiKey, client, log } = options;
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const outage = outageAt(url, log, 'Hydra gave no usable answer');
  const refusal = outageAt(
    url,
    log,
    apiKey === undefined
      ? 'Hydra refuses to say anything of opaque tokens: it asks for an API key (ory.api_key)'
      : 'Hydra refuses to say anything of opaque tokens: it does not take the API key (ory.api_key)',
  );
  return {
    async verify(credential) {
      const answer = await client.ask(url, { token: credential.value }, headers);
      if (answer.kind === 'none') return outage('ory_unreachable', answer.cause);
      switch (answer.status) {
        case 200:
          return judged(answer, options) ?? outage('ory_error', 'status 200, and no answer to an introspection');
        case 401:
        case 403:
          return refusal('ory_error', `status ${answer.status}`);
        case 429:
          return outage('ory_rate_limited', 'status 429', retryAfter(answer));
        default:
          return outage('ory_error', `status ${answer.status}`);
      }
    },
    // Hydra's word holds for as long as the cache may remember it: nothing here could take it back.
    stillTrusted: (identity) => identity.kind === 'token' && identity.proof === 'introspection',
  };
}

/** Undefined where the answer is none. What Hydra itself says no to may be remembered. */
function judged(answer: OryAnswer, { issuer, clockSkewMs, clock }: IntrospectionOptions): Verification | undefined {
  const claims = parseObject(answer.body);
  if (!claims || typeof claims['active'] !== 'boolean') return undefined;
  if (!claims['active']) return { kind: 'rejected', reason: 'token_inactive', ory: true };
  // Refresh tokens are active as well.
  if (claims['token_use'] !== 'access_token') return { kind: 'rejected', reason: 'token_kind_wrong', ory: true };
  if (!areRegisteredTypes(claims)) return rejected('token_malformed');
  // Optional in RFC 7662: who answers is then the issuer. One that is named is another's where it differs.
  if (claims.iss !== undefined && claims.iss !== issuer) return rejected('token_issuer_mismatch');
  const late = timeFault(claims, clock(), clockSkewMs);
  return late ? rejected(late) : accepted(claims);
}

function accepted(claims: JsonObject & { readonly exp?: number }): Verification {
  return {
    kind: 'verified',
    identity: {
      kind: 'token',
      proof: 'introspection',
      claims,
      audiences: audiencesOf(claims),
      // Optional too. A JWT without `exp` would be good for ever; of this token Hydra is asked again after cache.ttl.
      expiresAtMs: claims.exp === undefined ? undefined : claims.exp * 1_000,
    },
    cacheForMs: undefined,
    setCookie: [],
  };
}
