// The edge cache: a Lua filter in which each of Envoy's workers remembers the authorizer's yes. Reads its script once.
import { readFileSync } from 'node:fs';
import type { CookieName } from '../../config/config.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { EDGE_CACHE } from './filter-names.ts';
import { DECISION } from './native-yes.ts';

const SCRIPT = readFileSync(new URL('./edge-cache.lua', import.meta.url), 'utf8');

/** Directly before ext_authz, with nothing between them. */
export function edgeCacheFilter(plan: Plan): Block[] {
  if (!plan.edgeCache) return [];
  return [
    {
      [COMMENT]:
        'Remembers the authorizer’s yes for one rule and one credential. It knows no policy, and refuses nobody.',
      name: EDGE_CACHE,
      typed_config: edgeCacheConfig(edgeCacheScript(plan, plan.edgeCache.ttlMs)),
    },
  ];
}

export const EDGE_CACHE_TYPE = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua';

/** The Lua filter with a script: the whole one, or one that does nothing, so that the authorizer is asked. */
export function edgeCacheConfig(script: string): Block {
  return {
    '@type': EDGE_CACHE_TYPE,
    stat_prefix: 'edge_cache',
    // Its header changes are no reason to choose the route anew.
    clear_route_cache: false,
    default_source_code: { inline_string: script },
  };
}

/** Where the routes are not from here and another filter asks: what the script does otherwise. */
export interface ForeignEdge {
  /** Lua of a function `rule_of(info)`: the name of the rule, or "" where nothing may be remembered. */
  readonly ruleOf: string;
  /** The key of the RBAC filter's metadata that says whether to ask; a reason in it says that nobody need be asked. */
  readonly decision: string;
}

/** The whole script: the names of the configuration, and what is the same for all. */
export function edgeCacheScript(
  { sessionCookies, identityHeaders }: Plan,
  ttlMs: number,
  foreign?: ForeignEdge,
): string {
  return `local COOKIES = ${list(sessionCookies.map(cookieStart))}
local HEADERS = ${list(identityHeaders)}
local MAX_TTL_MS = ${ttlMs}
${foreign ? foreign.ruleOf + onForeign(foreign) : SCRIPT}`;
}

function onForeign({ decision }: ForeignEdge): string {
  const named = replaceOnce(SCRIPT, 'info:routeName()', 'rule_of(info)');
  return replaceOnce(named, `"${DECISION}"`, luaString(decision));
}

function replaceOnce(text: string, from: string, to: string): string {
  const [before = '', after, ...more] = text.split(from);
  if (after === undefined || more.length > 0) throw new Error(`the script has not exactly one ${from}`);
  return before + to + after;
}

/** What a cookie of this name or pattern begins with. */
function cookieStart({ name, prefix }: CookieName): string {
  return prefix ? name : `${name}=`;
}

function list(texts: readonly string[]): string {
  return texts.length === 0 ? '{}' : `{ ${texts.map(luaString).join(', ')} }`;
}

/** A Lua string. The schema lets nothing else into such a name; a script is no place to find out otherwise. */
export function luaString(text: string): string {
  if (!/^[A-Za-z0-9_=-]+$/.test(text)) throw new Error('a name that is no plain text cannot stand in a script');
  return `"${text}"`;
}
