// Logout at the development Ory: by session token, or by a browser's cookie. No I/O.
import { type DevContext, fault, json, noContent, readJson, textMember, wantsJson } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { askToLogOut, comesFromElsewhere } from '../logout-page.ts';
import { developmentNote, showProblem } from '../problem-page.ts';
import { safeReturnTo } from '../return-to.ts';
import type { State } from '../state.ts';
import { renewCsrf } from './csrf.ts';
import { refuseReturnTo } from './login.ts';
import { browserSession, deleteSessionCookie } from './presented.ts';
import type { Session } from './sessions.ts';
import { inactive } from './settings.ts';

/** `DELETE /self-service/logout/api`. A token that was good once is not an error. */
export async function logoutApi(c: DevContext, { sessions }: State): Promise<Response> {
  const token = textMember(await readJson(c), 'session_token');
  const ended = sessions.forget(token);
  return ended ? noContent(c) : fault(c, 403, { reason: 'The session token could not be found or is malformed.' });
}

/** `GET /self-service/logout/browser`: where this browser's logout is. */
export function logoutBrowser(c: DevContext, state: State): Response | Promise<Response> {
  const session = browserSession(c, state.sessions);
  if (!session) return noSession(c);
  const target = logoutUrl(c, state, session);
  if (typeof target !== 'string') return target;
  return json(c, 200, { logout_url: target, logout_token: session.logoutToken });
}

/** `GET /ui/logout`: the same for a link that a person clicks; it leads straight there. Kratos leaves this to the app. */
export function logoutLink(c: DevContext, state: State): Response | Promise<Response> {
  if (comesFromElsewhere(c)) return askToLogOut(c, developmentNote);
  const session = browserSession(c, state.sessions);
  if (session) {
    const target = logoutUrl(c, state, session);
    return typeof target === 'string' ? c.redirect(target, 303) : target;
  }
  const wanted = c.req.query('return_to') ?? `${baseUrl(c, state.url)}/ui`;
  const returnTo = safeReturnTo(wanted, baseUrl(c, state.url));
  return returnTo === undefined ? refuseReturnTo(c, wanted) : c.redirect(returnTo, 303);
}

/** `GET /self-service/logout?token=` */
export function logout(c: DevContext, state: State): Response | Promise<Response> {
  const session = browserSession(c, state.sessions);
  if (!session) return noSession(c);
  const token = c.req.query('token') ?? '';
  if (token === '') return refuse(c, 400, 'Please include a token in the URL query.');
  if (token !== session.logoutToken) return refuse(c, 403, 'The logout token does not match the session cookie.');
  const wanted = c.req.query('return_to') ?? `${baseUrl(c, state.url)}/ui`;
  const returnTo = safeReturnTo(wanted, baseUrl(c, state.url));
  if (returnTo === undefined) return refuseReturnTo(c, wanted);

  state.sessions.end(session);
  deleteSessionCookie(c, state);
  renewCsrf(c, state);
  return wantsJson(c) ? noContent(c) : c.redirect(returnTo, 303);
}

function logoutUrl(c: DevContext, state: State, session: Session): string | Response | Promise<Response> {
  const target = new URL(`${baseUrl(c, state.url)}/self-service/logout`);
  target.searchParams.set('token', session.logoutToken);
  const wanted = c.req.query('return_to');
  if (wanted === undefined) return target.href;
  const returnTo = safeReturnTo(wanted, baseUrl(c, state.url));
  if (returnTo === undefined) return refuseReturnTo(c, wanted);
  target.searchParams.set('return_to', returnTo);
  return target.href;
}

function noSession(c: DevContext): Response | Promise<Response> {
  return wantsJson(c) ? inactive(c) : showProblem(c, 401, 'You are not logged in.');
}

function refuse(c: DevContext, status: 400 | 403, reason: string): Response | Promise<Response> {
  return wantsJson(c) ? fault(c, status, { reason }) : showProblem(c, status, reason);
}
