// The route configuration: what is ambiguous is refused first, then one route a rule in the order of the file. No I/O.
import type { Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { upstreamCluster } from './clusters.ts';
import {
  EDGE_CACHE,
  EDGE_CACHE_ROUTE,
  EXT_AUTHZ,
  EXT_AUTHZ_ROUTE,
  JWT_AUTHN,
  JWT_AUTHN_ROUTE,
  RULE_FILTER,
} from './filter-names.ts';
import { TOKEN_REQUIREMENT } from './jwt-authn.ts';
import { directProblem, type EdgeReason } from './local-replies.ts';
import { nativeRoute } from './native-yes.ts';
import { oryRoutes } from './ory-path.ts';
import { OVERLONG_ESCAPE, PLAIN_HOST, plainPathRegex, quote, routeMatch, UNNORMALISED_PATH } from './path-matchers.ts';

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
          ...(plan.ory ? oryRoutes(plan.ory, unfiltered(plan), decidedByEnvoy) : []),
          ...plan.rules.flatMap((rule) => [...preflight(rule, plan), ruleRoute(rule, plan)]),
          noRule(plan),
        ],
      },
    ],
  };
}

/** What two readers could take differently never reaches a rule: a public one asks nobody. */
function refusals(plan: Plan): Value[] {
  return REFUSED.map(({ comment, reason, headers }) => ({ [COMMENT]: comment, ...refusal(plan, reason, headers) }));
}

const PLAIN_METHOD = '[A-Z]+(?:-[A-Z]+)*';
const UPGRADING: Block = { name: 'upgrade', present_match: true };
const PLAIN_CONNECTION = '(?i)(?:upgrade|keep-alive)(?:[ \\t]*,[ \\t]*(?:upgrade|keep-alive))*';

function regexMatch(regex: string): Block {
  return { string_match: { safe_regex: { regex } } };
}

/** Header matchers, all of which must hold: also for an edge whose routes are not from here. */
export const REFUSED: readonly {
  readonly comment: string;
  readonly reason: 'path_ambiguous' | 'no_rule';
  readonly headers: readonly Block[];
}[] = [
  {
    comment: 'A path that two readers could take differently is refused.',
    reason: 'path_ambiguous',
    headers: [{ name: ':path', ...regexMatch(plainPathRegex()), invert_match: true }],
  },
  {
    comment: 'So is one that the normalisation should not have left.',
    reason: 'path_ambiguous',
    headers: [{ name: ':path', ...regexMatch(UNNORMALISED_PATH) }],
  },
  {
    comment: 'So is a character in more bytes than it needs: old decoders read a dot or a slash out of it.',
    reason: 'path_ambiguous',
    headers: [{ name: ':path', ...regexMatch(OVERLONG_ESCAPE) }],
  },
  {
    comment:
      'So is a method that a rule cannot name: over HTTP/2 Envoy takes any, and some applications fold its case.',
    reason: 'path_ambiguous',
    headers: [{ name: ':method', ...regexMatch(PLAIN_METHOD), invert_match: true }],
  },
  {
    comment: 'So is a host that is none.',
    reason: 'path_ambiguous',
    headers: [
      { name: ':authority', ...regexMatch(PLAIN_HOST), invert_match: true, treat_missing_header_as_empty: true },
    ],
  },
  {
    comment: 'A WebSocket begins with GET (RFC 6455, section 4.1): by OPTIONS it would pass for a preflight.',
    reason: 'no_rule',
    headers: [UPGRADING, { name: ':method', string_match: { exact: 'GET' }, invert_match: true }],
  },
  {
    comment: 'Its Connection header reaches the application, and must not name identity headers as hop-by-hop.',
    reason: 'no_rule',
    headers: [UPGRADING, { name: 'connection', ...regexMatch(PLAIN_CONNECTION), invert_match: true }],
  },
];

/** Without a name: a route with a name is one of which a yes may be remembered. */
function refusal(plan: Plan, reason: EdgeReason, headers: readonly Block[]): Block {
  return {
    match: { prefix: '', headers },
    ...directProblem(reason),
    metadata: decidedByEnvoy(reason),
    ...unfiltered(plan),
  };
}

/** For a route that neither verifies nor asks. */
function unfiltered({ tokens, authorizer, edgeCache }: Plan): Block {
  const perFilter: Block = {
    ...(tokens ? { [JWT_AUTHN]: { '@type': JWT_AUTHN_ROUTE, disabled: true } } : {}),
    ...(edgeCache ? { [EDGE_CACHE]: NO_EDGE_CACHE } : {}),
    ...(authorizer ? { [EXT_AUTHZ]: { '@type': EXT_AUTHZ_ROUTE, disabled: true } } : {}),
  };
  return Object.keys(perFilter).length === 0 ? {} : { typed_per_filter_config: perFilter };
}

const NO_EDGE_CACHE: Block = { '@type': EDGE_CACHE_ROUTE, disabled: true };

function ruleRoute(rule: PlannedRule, plan: Plan): Block {
  const { host, path, methods } = rule.match;
  const { verdict, remembered } = rule;
  const perFilter: Record<string, Value> = {};
  if (rule.tokens) perFilter[JWT_AUTHN] = { '@type': JWT_AUTHN_ROUTE, requirement_name: TOKEN_REQUIREMENT };
  if (verdict.kind === 'native' || verdict.kind === 'enforced') perFilter[RULE_FILTER] = nativeRoute(verdict, plan);
  if (plan.edgeCache && !remembered) perFilter[EDGE_CACHE] = NO_EDGE_CACHE;
  if (verdict.kind === 'open' && plan.authorizer) perFilter[EXT_AUTHZ] = { '@type': EXT_AUTHZ_ROUTE, disabled: true };
  return {
    [COMMENT]: `Rule ${rule.name}. ${ruleText(rule)}`,
    name: rule.name,
    match: routeMatch(path, host, methods),
    route: routeTo(rule.upstream),
    metadata:
      verdict.kind === 'open'
        ? decidedByEnvoy('anonymous', rule.name)
        : logged({ decided_by: decider(plan), rule: rule.name }),
    ...(Object.keys(perFilter).length === 0 ? {} : { typed_per_filter_config: perFilter }),
  };
}

/** Without an authorizer a preflight has a route of its own: as the authorizer tells one, in check/request/header-lines.ts. */
function preflight(rule: PlannedRule, plan: Plan): Block[] {
  return rule.verdict.kind === 'enforced' ? preflightRoutes(rule, plan) : [];
}

/** Before the rule's own route, where nobody is asked about preflights. */
export function preflightRoutes({ name, match, upstream, corsOrigins }: PlannedRule, plan: Plan): Block[] {
  if (!corsOrigins) return [];
  const { headers = [], ...path } = routeMatch(match.path, match.host, undefined);
  return [
    {
      [COMMENT]: `Rule ${name}: a page asks before its request, without a credential.`,
      match: {
        ...path,
        headers: [
          ...(headers as readonly Value[]),
          { name: ':method', string_match: { exact: 'OPTIONS' } },
          { name: 'origin', ...regexMatch(corsOrigins.map(quote).join('|')) },
          { name: 'access-control-request-method', ...regexMatch('[A-Za-z]+') },
          ...['authorization', 'x-session-token', 'cookie'].map((credential) => ({
            name: credential,
            present_match: true,
            invert_match: true,
          })),
        ],
      },
      route: routeTo(upstream),
      metadata: decidedByEnvoy('anonymous', name),
      ...unfiltered(plan),
    },
  ];
}

function routeTo(upstream: string): Block {
  return {
    cluster: upstreamCluster(upstream),
    // No bound on the whole answer: downloads, event streams. What is silent for too long ends.
    timeout: '0s',
    idle_timeout: '300s',
    retry_policy: { retry_on: 'connect-failure,refused-stream', num_retries: 1 },
  };
}

function ruleText({ native, asked }: PlannedRule): string {
  return [native && `By itself: ${native}.`, asked && `Asked: ${asked}.`].filter(Boolean).join(' ');
}

/** The authorizer denies it (`no_rule`); should it ever say yes, there is nowhere to go. */
function noRule(plan: Plan): Block {
  return {
    [COMMENT]: plan.authorizer
      ? 'No rule: the authorizer denies, and this is what would answer if it did not.'
      : 'No rule.',
    match: { prefix: '' },
    ...directProblem('no_rule'),
    metadata: logged({ decided_by: decider(plan) }),
  };
}

/** Who decides what no filter says yes to. */
function decider({ authorizer }: Plan): string {
  return authorizer ? 'authorizer' : 'native';
}

function decidedByEnvoy(reason: string, rule?: string): Block {
  return logged({ reason, decided_by: 'native', ...(rule === undefined ? {} : { rule }) });
}

/** For the access log. */
function logged(content: Block): Block {
  return { filter_metadata: { [ROUTE_METADATA]: content } };
}
