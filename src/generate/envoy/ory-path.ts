// Ory's public API below the edge's own origin: its routes, and the cookies made first-party. No I/O.
import type { OryOnOrigin } from '../../config/config.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { HYDRA_CLUSTER, KRATOS_CLUSTER } from './clusters.ts';
import { CLIENT_ADDRESS_HEADERS } from './header-stripping.ts';
import { directProblem } from './local-replies.ts';

const COOKIES_FILTER = 'ory-envoy.first_party_cookies';
const LUA = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3';

/** Public paths alone: an admin path, known or to come, is not in a list of what passes. */
const KRATOS_PREFIXES = ['/self-service', '/sessions', '/schemas', '/ui', '/.well-known/ory'];
const HYDRA_PREFIXES = [
  '/oauth2/auth',
  '/oauth2/token',
  '/oauth2/revoke',
  '/oauth2/register',
  '/oauth2/device',
  '/oauth2/fallbacks',
  '/oauth2/sessions/logout',
  '/userinfo',
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/.well-known/jwks.json',
];
/** Hydra 1 had its admin API among these: consent could be given for oneself. */
const NEVER = ['/oauth2/auth/requests', '/oauth2/auth/sessions'];

/** Before every rule, and after what refuses ambiguous paths. Without names: there is no yes to remember. */
export function oryRoutes(ory: OryOnOrigin, unfiltered: Block, metadata: (reason: string) => Block): Value[] {
  const refuse = (path: string, comment: string): Block => ({
    [COMMENT]: comment,
    match: { path_separated_prefix: path },
    ...directProblem('no_rule'),
    metadata: metadata('no_rule'),
    ...unfiltered,
  });
  const { hydraUrl } = ory;
  return [
    ...NEVER.map((prefix) => refuse(ory.path + prefix, 'Not for the public, whichever version answers.')),
    ...KRATOS_PREFIXES.map((prefix) => passage(ory, ory.kratosUrl, KRATOS_CLUSTER, prefix, unfiltered, metadata)),
    ...(hydraUrl
      ? HYDRA_PREFIXES.map((prefix) => passage(ory, hydraUrl, HYDRA_CLUSTER, prefix, unfiltered, metadata))
      : []),
    refuse(ory.path, `Whatever else is below ${ory.path}, admin paths above all, is reachable for nobody.`),
  ];
}

function passage(
  ory: OryOnOrigin,
  target: URL,
  cluster: string,
  prefix: string,
  unfiltered: Block,
  metadata: (reason: string) => Block,
): Block {
  return {
    match: { path_separated_prefix: ory.path + prefix, headers: [METHODS] },
    route: {
      cluster,
      prefix_rewrite: `${target.pathname.replace(/\/$/, '')}${prefix}`,
      host_rewrite_literal: target.host,
      timeout: '30s',
      upgrade_configs: [{ upgrade_type: 'websocket', enabled: false }],
    },
    // Ory would believe them about the client's address.
    request_headers_to_remove: CLIENT_ADDRESS_HEADERS,
    request_headers_to_add: controlHeaders(ory, target),
    metadata: metadata('anonymous'),
    typed_per_filter_config: {
      ...(unfiltered['typed_per_filter_config'] as Block | undefined),
      [COOKIES_FILTER]: { '@type': `${LUA}.LuaPerRoute`, name: 'first_party' },
    },
  };
}

/** TRACE would give the client back what the edge has added. */
const METHODS: Block = {
  name: ':method',
  string_match: { safe_regex: { regex: 'GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS' } },
};

function controlHeaders({ publicUrl, apiKey }: OryOnOrigin, target: URL): Value[] {
  const headers: [string, string][] = [
    ['Ory-Base-URL-Rewrite', publicUrl],
    ['Ory-No-Custom-Domain-Redirect', 'true'],
  ];
  // By reference: a generated file is read by more people than the key is for.
  if (apiKey?.origin === target.origin)
    headers.push(['Ory-Base-URL-Rewrite-Token', `%ENVIRONMENT(${API_KEY_VARIABLE})%`]);
  return headers.map(([key, value]) => ({ header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }));
}

/** Where Envoy finds `ory.api_key`. */
export const API_KEY_VARIABLE = 'ORY_API_KEY';

/** Does nothing but on the routes that name its script. */
export function firstPartyCookies(ory: OryOnOrigin): Block {
  return {
    [COMMENT]: 'Ory’s cookies become this origin’s own.',
    name: COOKIES_FILTER,
    typed_config: {
      '@type': `${LUA}.Lua`,
      source_codes: { first_party: { inline_string: script(ory.publicUrl.startsWith('https:')) } },
    },
  };
}

/**
 * A cookie without `Domain` belongs to the host that set it, which is the edge. Over plain http, as in development, a
 * browser would drop a `Secure` one, and `SameSite=None` is nothing without it.
 */
function script(https: boolean): string {
  return `-- Takes Domain from every cookie that Ory sets${https ? '' : ', and Secure, which has no meaning on plain http'}.
local function first_party(cookie)
  local kept = {}
  for part in (cookie .. ";"):gmatch("([^;]*);") do
    local name = part:match("^%s*([^=%s]*)"):lower()
    local dropped = #kept > 0 and (name == "domain"${https ? '' : ' or name == "secure" or part:lower():match("^%s*samesite%s*=%s*none%s*$")'})
    if not dropped then kept[#kept + 1] = part end
  end
  return table.concat(kept, ";")
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local cookies = {}
  for i = 1, headers:getNumValues("set-cookie") do
    cookies[i] = first_party(headers:getAtIndex("set-cookie", i - 1))
  end
  if #cookies == 0 then return end
  headers:remove("set-cookie")
  for _, cookie in ipairs(cookies) do headers:add("set-cookie", cookie) end
end
`;
}
