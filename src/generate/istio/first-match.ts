// Which rule is the first to match, as an RBAC filter finds it: the routes are not from here. It refuses nobody. No I/O.
import { RBAC } from '../envoy/filter-names.ts';
import { routeMatch } from '../envoy/path-matchers.ts';
import type { Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';

const RULE_PREFIX = 'ory_rule_';
/** Digits, and a blank. */
const NUMBER_LENGTH = 5;

/**
 * Of policies Envoy takes the first that matches, in the order of their names. `nameOf`: what a script behind it is told
 * of the rule; undefined: nothing.
 */
export function firstMatch({ rules }: Plan, nameOf: (rule: PlannedRule) => string | undefined, comment: string): Block {
  return {
    [COMMENT]: `Which rule is the first to match. It refuses nobody. ${comment}`,
    name: 'ory-envoy.rule',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      shadow_rules_stat_prefix: RULE_PREFIX,
      shadow_rules: {
        action: 'ALLOW',
        policies: Object.fromEntries(rules.map((rule, i) => [policyName(nameOf(rule), i), matched(rule)])),
      },
    },
  };
}

function policyName(name: string | undefined, index: number): string {
  const number = String(index + 1).padStart(NUMBER_LENGTH, '0');
  return name === undefined ? number : `${number} ${name}`;
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

/** Lua of a function `rule_of(info)`: what `nameOf` said of the rule, or "". */
export const RULE_OF = `local function rule_of(info)
  local found = info:dynamicMetadata():get("${RBAC}")
  local id = found and found["${RULE_PREFIX}shadow_effective_policy_id"]
  return type(id) == "string" and string.sub(id, ${NUMBER_LENGTH + 2}) or ""
end
`;
