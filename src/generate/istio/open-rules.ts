// Open rules know nobody: where a RequestAuthentication writes the claims of every good token into headers, they are taken
// away again there. No I/O.
import { edgeCacheConfig, luaString } from '../envoy/edge-cache.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { firstMatch, RULE_OF } from './first-match.ts';

/** Behind jwt_authn, in this order. */
export function withoutIdentity(plan: Plan): Block[] {
  if (!plan.rules.some(({ verdict }) => verdict.kind === 'open')) return [];
  return [
    firstMatch(
      plan,
      ({ verdict }) => (verdict.kind === 'enforced' ? 'token' : undefined),
      'A rule that takes tokens is called so here.',
    ),
    {
      [COMMENT]: 'Whoever comes to another rule is nobody there, whatever token he brings.',
      name: 'ory-envoy.nobody',
      typed_config: edgeCacheConfig(script(plan)),
    },
  ];
}

function script({ identityHeaders }: Plan): string {
  return `${RULE_OF}
function envoy_on_request(h)
  if rule_of(h:streamInfo()) == "token" then return end
  local headers = h:headers()
${identityHeaders.map((name) => `  headers:remove(${luaString(name)})\n`).join('')}end
`;
}
