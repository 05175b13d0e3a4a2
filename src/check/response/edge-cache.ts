// What the edge cache may remember of a yes: only what it looked up, and only where that is all that the yes rests on.
// No I/O.
import type { CookieName } from '../../config/config.ts';
import type { Credential } from '../credential/credential.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { Allow } from '../verdict.ts';
import { routeName } from '../wire.ts';

/** What may be remembered, as the configuration bounds it. */
export interface EdgeCacheBounds {
  readonly edgeTtlMs: number;
  readonly sessionCookies: readonly CookieName[];
}

/**
 * For how many whole milliseconds, from before the check, the edge may go by this yes; 0 where it may not. What the edge
 * cache says that it looked up (`ory-edge-key`) must be exactly the rule and the credential of the verdict: its reading of
 * a request and the authorizer's could differ, and a yes under another credential would let one user in as another.
 */
export function cacheForMs(
  { remember, rule }: Allow,
  request: CheckRequest,
  { edgeTtlMs, sessionCookies }: EdgeCacheBounds,
  nowMs: number,
): number {
  if (remember === undefined || request.edgeKey === undefined) return 0;
  const place = onlyPlace(request, sessionCookies);
  if (place === undefined) return 0;
  const key = `${routeName(rule.name, request.policy)} ${place}${remember.credential.value}`;
  if (request.edgeKey !== key || !isFrom(place, remember.credential, request)) return 0;
  const leftMs = Math.floor(Math.min(edgeTtlMs, remember.untilMs - nowMs));
  return leftMs > 0 ? leftMs : 0;
}

/** Where a credential stands: cookie, `X-Session-Token`, `Authorization`. */
type Place = 'c' | 't' | 'a';

/** The one place that could hold a credential, seen as widely as can be; undefined where there are several, or none. */
function onlyPlace(
  { cookie, sessionToken, authorization }: CheckRequest,
  names: readonly CookieName[],
): Place | undefined {
  const places: Place[] = [];
  if (cookie.some((line) => names.some(({ name }) => line.includes(name)))) places.push('c');
  if (sessionToken.length > 0) places.push('t');
  if (authorization.length > 0) places.push('a');
  return places.length === 1 ? places[0] : undefined;
}

/** The whole line, but for a cookie: no blank, comma or second spelling beside the credential. */
function isFrom(place: Place, { kind, value }: Credential, request: CheckRequest): boolean {
  switch (place) {
    case 'c':
      return kind === 'session_cookie';
    case 't':
      return kind === 'session_token' && isOne(request.sessionToken, value);
    case 'a':
      return kind !== 'session_cookie' && isOne(request.authorization, `Bearer ${value}`);
  }
}

function isOne(lines: readonly string[], wanted: string): boolean {
  return lines.length === 1 && lines[0] === wanted;
}
