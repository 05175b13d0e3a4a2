// How an account's settings begin and are shown: profile, password, authenticator app. No I/O.
import { type DevContext, fault, json, wantsJson } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { safeReturnTo } from '../return-to.ts';
import type { State } from '../state.ts';
import { newTotpSecret } from '../totp.ts';
import { csrfOwner, csrfTokenFor } from './csrf.ts';
import type { SettingsFlow } from './flows.ts';
import { refuseReturnTo, requestUrl } from './login.ts';
import { bearerSession, browserSession } from './presented.ts';
import { type Session, satisfies } from './sessions.ts';
import { settingsFlowJson } from './settings-flow.ts';
import { showSettings } from './settings-page.ts';
import { secondFactorRequired, secondFactorUrl } from './whoami.ts';

type Answer = Response | Promise<Response>;

/** `GET /self-service/settings/api` */
export function beginSettingsApi(c: DevContext, state: State): Answer {
  const session = bearerSession(c, state.sessions);
  if (!session) return inactive(c);
  if (!satisfies(session, state.requiredAal)) return secondFactorRequired(c, baseUrl(c, state.url));
  const begun = { type: 'api', requestUrl: requestUrl(c, state), returnTo: undefined, owner: undefined } as const;
  const flow = state.flows.beginSettings(begun, session.identity, newTotpSecret());
  return json(c, 200, settingsFlowJson(flow, baseUrl(c, state.url), ''));
}

/** `GET /self-service/settings/browser`: JSON for a script, a redirect to the page for a navigation. */
export function beginSettingsBrowser(c: DevContext, state: State): Answer {
  const base = baseUrl(c, state.url);
  const wanted = c.req.query('return_to');
  const returnTo = wanted === undefined ? undefined : safeReturnTo(wanted, base);
  if (wanted !== undefined && returnTo === undefined) return refuseReturnTo(c, wanted);
  const session = browserSession(c, state.sessions);
  if (!session) return logInFirst(c, base);
  if (!satisfies(session, state.requiredAal)) return stepUpFirst(c, base);
  const token = csrfTokenFor(c, state);
  const begun = { type: 'browser', requestUrl: requestUrl(c, state), returnTo, owner: csrfOwner(token) } as const;
  const flow = state.flows.beginSettings(begun, session.identity, newTotpSecret());
  if (wantsJson(c)) return json(c, 200, settingsFlowJson(flow, base, token));
  return c.redirect(`${base}/ui/settings?flow=${flow.id}`, 303);
}

export function logInFirst(c: DevContext, base: string): Answer {
  return wantsJson(c) ? inactive(c) : c.redirect(`${base}/self-service/login/browser`, 303);
}

export function stepUpFirst(c: DevContext, base: string): Answer {
  return wantsJson(c) ? secondFactorRequired(c, base) : c.redirect(secondFactorUrl(base), 303);
}

export function inactive(c: DevContext): Response {
  const reason = 'No active session was found in this request.';
  const message = 'request does not have a valid authentication session';
  return fault(c, 401, { id: 'session_inactive', reason, message });
}

/** The session that may see and change the flow: of the same person, strong enough. */
export function sessionOf(c: DevContext, state: State, flow: SettingsFlow): Session | 'none' | 'foreign' | 'weak' {
  const { sessions, requiredAal } = state;
  const session = flow.type === 'api' ? bearerSession(c, sessions) : browserSession(c, sessions);
  if (!session) return 'none';
  if (session.identity !== flow.identity) return 'foreign';
  return satisfies(session, requiredAal) ? session : 'weak';
}

/** `GET /self-service/settings/flows?id=` */
export function showSettingsFlow(c: DevContext, state: State): Response {
  const flow = state.flows.settings(c.req.query('id') ?? '');
  if (!flow) return fault(c, 404, {});
  const session = sessionOf(c, state, flow);
  if (session === 'none') {
    return fault(c, 401, { reason: 'A valid Ory Session Cookie or Ory Session Token is missing.' });
  }
  if (session === 'foreign') return foreignSettings(c);
  if (session === 'weak') return secondFactorRequired(c, baseUrl(c, state.url));
  return json(c, 200, asJson(c, state, flow));
}

export function foreignSettings(c: DevContext): Response {
  const reason = 'The request was made for another identity and has been blocked for security reasons.';
  return fault(c, 403, { id: 'security_identity_mismatch', reason });
}

export function asJson(c: DevContext, state: State, flow: SettingsFlow): Record<string, unknown> {
  return settingsFlowJson(flow, baseUrl(c, state.url), flow.type === 'api' ? '' : csrfTokenFor(c, state));
}

/** `GET /ui/settings?flow=`: the page. Without a flow of this person that lives, it begins a new one. */
export function settingsPage(c: DevContext, state: State): Answer {
  const flow = state.flows.settings(c.req.query('flow') ?? '');
  const mine = flow?.type === 'browser' && typeof sessionOf(c, state, flow) === 'object';
  if (!mine) return c.redirect(`${baseUrl(c, state.url)}/self-service/settings/browser`, 303);
  return showSettings(c, state, asJson(c, state, flow));
}
