// The edge cache in Istio's chain of filters: which rule a request is, since the routes are not from here, and the script
// before Istio's ext_authz. No I/O.
import { edgeCacheConfig, edgeCacheScript } from '../envoy/edge-cache.ts';
import { EDGE_CACHE, RBAC } from '../envoy/filter-names.ts';
import { routeMatch } from '../envoy/path-matchers.ts';
import type { Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';

/** Before ext_authz, in this order, with nothing between. */
export function edgeCachePatches(plan: Plan, ttlMs: number): Block[] {
  const script = edgeCacheScript(plan, ttlMs, { ruleOf: RULE_OF, decision: ISTIO_DECISION });
  return [
    firstMatch(plan),
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

const RULE_PREFIX = 'ory_rule_';
/** Digits, and a blank. */
const NUMBER_LENGTH = 5;

/** Of policies Envoy takes the first that matches, in the order of their names. */
function firstMatch({ rules }: Plan): Block {
  return {
    [COMMENT]: 'Which rule is the first to match. It refuses nobody. A rule that is not remembered has no name here.',
    name: 'ory-envoy.rule',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      shadow_rules_stat_prefix: RULE_PREFIX,
      shadow_rules: {
        action: 'ALLOW',
        policies: Object.fromEntries(rules.map((rule, i) => [policyName(rule, i), matched(rule)])),
      },
    },
  };
}

function policyName({ name, remembered, verdict }: PlannedRule, index: number): string {
  const number = String(index + 1).padStart(NUMBER_LENGTH, '0');
  return remembered && verdict.kind === 'asked' ? `${number} ${name}` : number;
}

function matched({ match: { path, host, methods } }: PlannedRule): Block {
  const { headers = [], ...rest } = routeMatch(path, host, methods);
  const rules = [pathPermission(rest), ...(headers as readonly Block[]).map((header) => ({ header }))];
  return { permissions: [{ and_rules: { rules } }], principals: [{ any: true }] };
}

/** A path matcher of a route, as RBAC writes it. */
function pathPermission(match: Block): Block {
  const [[kind, value] = []] = Object.entries(match);
  switch (kind) {
    case 'path':
      return urlPath({ exact: value as string });
    case 'prefix':
      return urlPath({ prefix: value as string });
    case 'safe_regex':
      return urlPath({ safe_regex: value as Block });
    case 'path_separated_prefix':
      return { or_rules: { rules: [urlPath({ exact: value as string }), urlPath({ prefix: `${value}/` })] } };
    default:
      throw new Error(`no path matcher: ${kind}`);
  }
}

function urlPath(path: Block): Block {
  return { url_path: { path } };
}

const RULE_OF = `local function rule_of(info)
  local found = info:dynamicMetadata():get("${RBAC}")
  local id = found and found["${RULE_PREFIX}shadow_effective_policy_id"]
  return type(id) == "string" and string.sub(id, ${NUMBER_LENGTH + 2}) or ""
end
`;
