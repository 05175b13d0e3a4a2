// What Oathkeeper does not look at: whether a request brings two credentials in one place. Envoy refuses such a request
// before it asks. No I/O.
import { DENIALS } from '../../check/reason.ts';
import type { Config } from '../../config/config.ts';
import { type Block, COMMENT } from '../yaml.ts';

const NAME = 'ory-envoy.one-credential';
const LUA = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3';

/** For a route on which nobody looks at credentials. */
export const ANY_CREDENTIALS: Readonly<Record<string, Block>> = {
  [NAME]: { '@type': `${LUA}.LuaPerRoute`, disabled: true },
};

export function oneCredential(config: Config): Block {
  return {
    [COMMENT]: 'Two credentials in one place are refused: Oathkeeper would go by one of them.',
    name: NAME,
    typed_config: {
      '@type': `${LUA}.Lua`,
      clear_route_cache: false,
      default_source_code: { inline_string: script(config) },
    },
  };
}

/** Each pattern reads a value once: a value of blanks or commas costs no more than its length. */
function script({ sessions, sessionCookies }: Config): string {
  const { status, title } = DENIALS.credential_ambiguous;
  const body = `{"type":"urn:ory-envoy:reason:credential_ambiguous","title":"${title}","status":${status},"reason":"credential_ambiguous","request_id":"%s"}`;
  const cookies = sessions ? sessionCookies.map((cookie) => JSON.stringify(cookiePattern(cookie))) : [];
  return `local cookies = { ${cookies.join(', ')} }

-- A comma before each line, as if one proxy more had joined them.
local function lines(headers, name)
  local text = ""
  for i = 1, headers:getNumValues(name) do text = text .. "," .. headers:getAtIndex(name, i - 1) end
  return text
end

local function several(text, pattern)
  local _, stop = text:find(pattern)
  return stop ~= nil and text:find(pattern, stop + 1) ~= nil
end

local function ambiguous(headers)
  local bearer = lines(headers, "authorization"):lower()
  if bearer:find(",[ \\t]*bearer") and several(bearer, ",") then return true end${
    sessions
      ? `
  if several(lines(headers, "x-session-token"), ",") then return true end
  local text = lines(headers, "cookie")
  for _, pattern in ipairs(cookies) do
    if several(text, pattern) then return true end
  end`
      : ''
  }
  return false
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if not ambiguous(headers) then return end
  handle:respond(
    { [":status"] = "${status}", ["content-type"] = "application/problem+json", ["cache-control"] = "no-store" },
    (${luaString(body)}):format(headers:get("x-request-id") or "")
  )
end
`;
}

/** A cookie of that name with a value. */
function cookiePattern({ name, prefix }: Config['sessionCookies'][number]): string {
  return `[;,][ \t]*${name.replaceAll('-', '%-')}${prefix ? '[^=;,]*' : ''}=[^;, \t]`;
}

function luaString(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
