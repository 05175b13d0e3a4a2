// The edge cache in Istio's chain of filters: which rule a request is, since the routes are not from here, and the script
// before Istio's ext_authz. No I/O.
import { edgeCacheConfig, edgeCacheScript } from '../envoy/edge-cache.ts';
import { EDGE_CACHE } from '../envoy/filter-names.ts';
import type { Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { firstMatch, RULE_OF } from './first-match.ts';

/** Before ext_authz, in this order, with nothing between. */
export function edgeCachePatches(plan: Plan, ttlMs: number): Block[] {
  const script = edgeCacheScript(plan, ttlMs, { ruleOf: RULE_OF, decision: ISTIO_DECISION });
  return [
    firstMatch(plan, rememberedName, 'A rule that is not remembered has no name here.'),
    {
      [COMMENT]:
        'Remembers the authorizer’s yes for one rule and one credential. It knows no policy, and refuses nobody.',
      name: EDGE_CACHE,
      typed_config: edgeCacheConfig(script),
    },
  ];
}

/** By it Istio's ext_authz knows whether a CUSTOM policy matched. */
const ISTIO_DECISION = 'istio_ext_authz_shadow_effective_policy_id';

/** A rule that is remembered. */
function rememberedName({ name, remembered, verdict }: PlannedRule): string | undefined {
  return remembered && verdict.kind === 'asked' ? name : undefined;
}
