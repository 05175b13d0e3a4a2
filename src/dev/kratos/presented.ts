// Which session a request presents, and the cookie in which a browser carries it. No I/O.
import { deleteCookie, setCookie } from 'hono/cookie';
import { cookieValues, type DevContext, firstHeader } from '../answer.ts';
import type { State } from '../state.ts';
import type { Session, Sessions } from './sessions.ts';

export const sessionCookie = 'ory_kratos_session';

/** Kratos's precedence: `X-Session-Token`, the first session cookie that opens, `Authorization: Bearer`. '' is none. */
export function presentedToken(c: DevContext, sessions: Sessions): string {
  return firstHeader(c, 'x-session-token') || cookieToken(c, sessions) || bearerToken(c);
}

/** The token in the session cookie, '' without a cookie that opens. */
export function cookieToken(c: DevContext, sessions: Sessions): string {
  for (const value of cookieValues(c, sessionCookie)) {
    const token = sessions.unseal(value);
    if (token !== undefined) return token;
  }
  return '';
}

/** The living session that the request presents in any of the places. */
export function presentedSession(c: DevContext, sessions: Sessions): Session | undefined {
  return sessions.active(presentedToken(c, sessions));
}

/** The living session of a token: what a program presents, and no browser sends by itself. */
export function bearerSession(c: DevContext, sessions: Sessions): Session | undefined {
  return sessions.active(firstHeader(c, 'x-session-token') || bearerToken(c));
}

/** The living session of the cookie alone: what a page, or a link, may act on. */
export function browserSession(c: DevContext, sessions: Sessions): Session | undefined {
  return sessions.active(cookieToken(c, sessions));
}

export function setSessionCookie(c: DevContext, { sessions, clock, cookieDomain }: State, session: Session): void {
  const maxAge = Math.floor((session.expiresAtMs - clock()) / 1000);
  setCookie(c, sessionCookie, sessions.seal(session), { ...attributes(cookieDomain), maxAge });
}

export function deleteSessionCookie(c: DevContext, { cookieDomain }: State): void {
  deleteCookie(c, sessionCookie, attributes(cookieDomain));
}

function attributes(domain: string | undefined) {
  return { path: '/', httpOnly: true, sameSite: 'Lax', ...(domain === undefined ? {} : { domain }) } as const;
}

function bearerToken(c: DevContext): string {
  const [scheme = '', token = '', ...rest] = firstHeader(c, 'authorization').split(' ');
  return scheme.toLowerCase() === 'bearer' && rest.length === 0 ? token : '';
}
