// envoy.yaml: the bootstrap of a standalone Envoy, with Oathkeeper in the authorizer's place. No I/O.
import type { Config } from '../../config/config.ts';
import { AUTHORIZER_CLUSTER } from '../envoy/clusters.ts';
import { bootstrap } from '../envoy/emit.ts';
import { EXT_AUTHZ, EXT_AUTHZ_ROUTE } from '../envoy/filter-names.ts';
import { checkRetry, checkTimeout, DENIAL_HEADERS, exactly } from '../envoy/filters.ts';
import { localReplyConfig } from '../envoy/local-replies.ts';
import { preflightRoutes } from '../envoy/routes.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { ANY_CREDENTIALS, oneCredential } from './one-credential.ts';
import { makeOathkeeperPlan } from './plan.ts';

export function envoyBootstrap(config: Config, caFile: string): Block {
  const plan = makeOathkeeperPlan(config);
  const whole = bootstrap(config, plan, { transport: 'http', caFile, fetchesKeys: false });
  return withOathkeeper(whole, config, plan) as Block;
}

/** Everything but what speaks the authorizer's own words. */
function withOathkeeper(value: Value, config: Config, plan: Plan): Value {
  if (Array.isArray(value)) return value.flatMap((item) => replaced(item as Value, config, plan));
  if (typeof value !== 'object') return value;
  const next: Record<string | symbol, unknown> = { ...(value as Block) };
  for (const [key, item] of Object.entries(value))
    next[key] =
      key === 'local_reply_config'
        ? localReplyConfig(undefined, plan, config.edge.publicUrl)
        : withOathkeeper(item, config, plan);
  const perFilter = (value as Block)['typed_per_filter_config'] as Block | undefined;
  // Oathkeeper would call a request without a rule not found.
  if (perFilter?.[EXT_AUTHZ] || 'direct_response' in value)
    next['typed_per_filter_config'] = { ...perFilter, ...NOT_ASKED, ...ANY_CREDENTIALS };
  return next as Block;
}

const NOT_ASKED: Block = { [EXT_AUTHZ]: { '@type': EXT_AUTHZ_ROUTE, disabled: true } };

/** An entry of a list: a filter, a route, or anything else. */
function replaced(item: Value, config: Config, plan: Plan): Value[] {
  const name = typeof item === 'object' && 'name' in item ? item['name'] : undefined;
  if (name === EXT_AUTHZ) return [oneCredential(config), extAuthz(config, plan), withoutEmptyHeaders(plan)];
  const isRoute = typeof item === 'object' && 'match' in item && 'route' in item;
  const rule = isRoute ? plan.rules.find((one) => one.name === name) : undefined;
  return [...(rule ? preflightRoutes(rule, plan) : []), item].map((one) => withOathkeeper(one, config, plan));
}

/** What Oathkeeper is told of a request, beside method, path and host: nothing by which it could take it for another. */
const CHECK_HEADERS = ['cookie', 'authorization', 'x-session-token', 'accept'];

function extAuthz(config: Config, plan: Plan): Block {
  return {
    [COMMENT]: 'Asks Oathkeeper’s decision API, and refuses where it does not answer.',
    name: EXT_AUTHZ,
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
      stat_prefix: 'ory',
      transport_api_version: 'V3',
      failure_mode_allow: false,
      status_on_error: { code: 'ServiceUnavailable' },
      validate_mutations: true,
      clear_route_cache: false,
      allowed_headers: {
        [COMMENT]:
          'None of the X-Forwarded-* by which Oathkeeper would judge another request than this one: it believes all of them.',
        ...exactly(CHECK_HEADERS),
      },
      http_service: {
        server_uri: {
          uri: config.edge.authorizer.origin,
          cluster: AUTHORIZER_CLUSTER,
          timeout: checkTimeout(config),
        },
        path_prefix: '/decisions',
        retry_policy: checkRetry(config),
        authorization_request: {
          headers_to_add: [{ key: 'x-forwarded-proto', value: new URL(config.edge.publicUrl).protocol.slice(0, -1) }],
        },
        authorization_response: {
          allowed_upstream_headers: exactly(plan.identityHeaders),
          allowed_client_headers: exactly(DENIAL_HEADERS),
        },
      },
    },
  };
}

/** Oathkeeper writes every header, one without a value as an empty one. */
function withoutEmptyHeaders({ identityHeaders }: Plan): Block {
  return {
    [COMMENT]: 'What has no value is not there.',
    name: 'ory-envoy.without_empty_headers',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua',
      clear_route_cache: false,
      default_source_code: {
        inline_string: `function envoy_on_request(handle)
  local headers = handle:headers()
  for _, name in ipairs({ ${identityHeaders.map((name) => JSON.stringify(name)).join(', ')} }) do
    if headers:get(name) == "" then headers:remove(name) end
  end
end
`,
      },
    },
  };
}
