// `/sessions/whoami`. No I/O.
import { cookieValues, type DevContext, fault, json } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import { cookieToken, presentedSession, presentedToken, sessionCookie } from './presented.ts';
import { satisfies, sessionJson } from './sessions.ts';

const noSession = { reason: 'No valid session credentials found in the request.' };

/** A broken cookie beside a good credential is Kratos's own 500, identity header included. */
export function whoami(c: DevContext, { sessions, made, url, requiredAal }: State): Response {
  c.header('Vary', 'Cookie');
  const token = presentedToken(c, sessions);
  if (made.hasSession(token)) {
    const toOrder = made.activeSession(token);
    return toOrder === undefined ? fault(c, 401, noSession) : json(c, 200, toOrder);
  }
  const session = presentedSession(c, sessions);
  if (!session) return fault(c, 401, noSession);
  const base = baseUrl(c, url);
  if (!satisfies(session, requiredAal)) return secondFactorRequired(c, base);
  c.header('X-Kratos-Authenticated-Identity-Id', session.identity.id);
  const hasCookie = cookieValues(c, sessionCookie).length > 0;
  if (hasCookie && cookieToken(c, sessions) === '') {
    return fault(c, 500, { message: 'The session cookie could not be decoded.' });
  }
  return json(c, 200, sessionJson(session, base));
}

/** Kratos's 403, which says where the second factor is asked for; without a `return_to`, as its own. */
export function secondFactorRequired(c: DevContext, base: string, returnTo?: string): Response {
  const target = secondFactorUrl(base, returnTo);
  return fault(c, 403, {
    id: 'session_aal2_required',
    reason:
      'An active session was found but it does not fulfill the requested Authenticator Assurance Level. Please verify yourself with a second factor to resolve this issue.',
    message: 'Session does not fulfill the requested Authenticator Assurance Level',
    redirect: target,
    details: { redirect_browser_to: target },
  });
}

export function secondFactorUrl(base: string, returnTo?: string): string {
  const query = new URLSearchParams({ aal: 'aal2', ...(returnTo === undefined ? {} : { return_to: returnTo }) });
  return `${base}/self-service/login/browser?${query}`;
}
