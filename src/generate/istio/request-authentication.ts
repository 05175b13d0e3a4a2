// RequestAuthentication: verifies the issuer's tokens and writes their claims into the identity headers. No I/O.
import type { KubernetesObject } from '../kubernetes/manifest.ts';
import type { Plan, PlannedTokens } from '../plan.ts';
import { COMMENT } from '../yaml.ts';
import { OBJECT_NAME } from './names.ts';
import { target, type Workload } from './workload.ts';

/** Of a header that no token fills: written never, and a client's own is removed all the same. */
const NO_CLAIM = 'ory_envoy_no_claim';

export function requestAuthentication(
  workload: Workload,
  plan: Plan,
  tokens: PlannedTokens,
  timeoutMs: number,
): KubernetesObject {
  const claims = new Map(tokens.headers.map(({ name, claims: [first = []] }) => [name, first.join('.')]));
  return {
    [COMMENT]:
      'A token that is none is refused, wherever it comes. One that is missing is not: what needs one is said below.',
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: OBJECT_NAME, namespace: workload.namespace },
    spec: {
      ...target(workload),
      jwtRules: [
        {
          issuer: tokens.issuer,
          ...(tokens.audiences === 'any' ? {} : { audiences: tokens.audiences }),
          jwksUri: tokens.jwksUrl,
          // Named, because the default also takes ?access_token= from the query.
          fromHeaders: [{ name: 'Authorization', prefix: 'Bearer ' }],
          forwardOriginalToken: true,
          outputClaimToHeaders: plan.identityHeaders.map((header) => ({
            header,
            claim: claims.get(header) ?? NO_CLAIM,
          })),
          timeout: `${timeoutMs / 1_000}s`,
        },
      ],
    },
  };
}
