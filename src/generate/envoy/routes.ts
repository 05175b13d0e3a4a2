// The route configuration: what is ambiguous is refused first, then one route a rule in the order of the file. No I/O.
import type { Plan, PlannedRule } from '../plan.ts';
import { upstreamCluster } from './clusters.ts';
import { EXT_AUTHZ, EXT_AUTHZ_ROUTE, JWT_AUTHN, JWT_AUTHN_ROUTE, RBAC } from './filter-names.ts';
import { TOKEN_REQUIREMENT } from './filters.ts';
import { directProblem, type EdgeReason } from './local-replies.ts';
import { nativeRoute } from './native-yes.ts';
import { oryRoutes } from './ory-path.ts';
import { PLAIN_HOST, plainPathRegex, routeMatch, UNNORMALISED_PATH } from './path-matchers.ts';
import { type Block, COMMENT, type Value } from './yaml.ts';

/** Namespace of route metadata that the access log reads. */
export const ROUTE_METADATA = 'ory-envoy';

/** One virtual host: the first match wins over hosts too, and Envoy would choose a virtual host before any route. */
export function routeConfig(plan: Plan): Block {
  return {
    name: 'ory-envoy',
    virtual_hosts: [
      {
        name: 'edge',
        domains: ['*'],
        routes: [
          ...refusals(plan),
          ...(plan.ory ? oryRoutes(plan.ory, plan.tokens !== undefined, reasonMetadata) : []),
          ...plan.rules.map((rule) => ruleRoute(rule, plan)),
          noRule(),
        ],
      },
    ],
  };
}

/** What two readers could take differently never reaches a rule: a public one asks nobody. */
function refusals(plan: Plan): Value[] {
  return [
    {
      [COMMENT]: 'A path that two readers could take differently is refused.',
      ...refusal(plan, 'path_ambiguous', [{ name: ':path', ...regexMatch(plainPathRegex()), invert_match: true }]),
    },
    {
      [COMMENT]: 'So is one that the normalisation should not have left.',
      ...refusal(plan, 'path_ambiguous', [{ name: ':path', ...regexMatch(UNNORMALISED_PATH) }]),
    },
    {
      [COMMENT]: 'So is a host that is none.',
      ...refusal(plan, 'path_ambiguous', [
        { name: ':authority', ...regexMatch(PLAIN_HOST), invert_match: true, treat_missing_header_as_empty: true },
      ]),
    },
    {
      [COMMENT]: 'A WebSocket begins with GET (RFC 6455, section 4.1): by OPTIONS it would pass for a preflight.',
      ...refusal(plan, 'no_rule', [UPGRADING, { name: ':method', string_match: { exact: 'GET' }, invert_match: true }]),
    },
    {
      [COMMENT]: 'Its Connection header reaches the application, and must not name identity headers as hop-by-hop.',
      ...refusal(plan, 'no_rule', [
        UPGRADING,
        { name: 'connection', ...regexMatch(PLAIN_CONNECTION), invert_match: true },
      ]),
    },
  ];
}

const UPGRADING: Block = { name: 'upgrade', present_match: true };
const PLAIN_CONNECTION = '(?i)(?:upgrade|keep-alive)(?:[ \\t]*,[ \\t]*(?:upgrade|keep-alive))*';

function regexMatch(regex: string): Block {
  return { string_match: { safe_regex: { regex } } };
}

/** Without a name: a route with a name is one of which a yes may be remembered. */
function refusal(plan: Plan, reason: EdgeReason, headers: readonly Block[]): Block {
  return {
    match: { prefix: '', headers },
    ...directProblem(reason),
    metadata: reasonMetadata(reason),
    typed_per_filter_config: {
      ...(plan.tokens ? { [JWT_AUTHN]: { '@type': JWT_AUTHN_ROUTE, disabled: true } } : {}),
      [EXT_AUTHZ]: { '@type': EXT_AUTHZ_ROUTE, disabled: true },
    },
  };
}

function ruleRoute(rule: PlannedRule, plan: Plan): Block {
  const { host, path, methods } = rule.match;
  const { verdict } = rule;
  const perFilter: Record<string, Value> = {};
  if (rule.tokens) perFilter[JWT_AUTHN] = { '@type': JWT_AUTHN_ROUTE, requirement_name: TOKEN_REQUIREMENT };
  if (verdict.kind === 'native') perFilter[RBAC] = nativeRoute(verdict.yes, plan.sessionCookies);
  if (verdict.kind === 'open') perFilter[EXT_AUTHZ] = { '@type': EXT_AUTHZ_ROUTE, disabled: true };
  return {
    [COMMENT]: `Rule ${rule.name}. ${ruleText(rule)}`,
    name: rule.name,
    match: routeMatch(path, host, methods),
    route: {
      cluster: upstreamCluster(rule.upstream),
      // No bound on the whole answer: downloads, event streams. What is silent for too long ends.
      timeout: '0s',
      idle_timeout: '300s',
      retry_policy: { retry_on: 'connect-failure,refused-stream', num_retries: 1 },
    },
    ...(verdict.kind === 'open' ? { metadata: reasonMetadata('anonymous') } : {}),
    ...(Object.keys(perFilter).length === 0 ? {} : { typed_per_filter_config: perFilter }),
  };
}

function ruleText({ native, asked }: PlannedRule): string {
  return [native && `By itself: ${native}.`, asked && `Asked: ${asked}.`].filter(Boolean).join(' ');
}

/** The authorizer denies it (`no_rule`); should it ever say yes, there is nowhere to go. */
function noRule(): Block {
  return {
    [COMMENT]: 'No rule: the authorizer denies, and this is what would answer if it did not.',
    match: { prefix: '' },
    ...directProblem('no_rule'),
  };
}

function reasonMetadata(reason: string): Block {
  return { filter_metadata: { [ROUTE_METADATA]: { reason } } };
}
