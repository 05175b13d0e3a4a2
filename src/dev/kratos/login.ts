// How a login begins and is shown: for programs (API flow) and for browsers (cookie and csrf token). No I/O.
import { type DevContext, fault, json, wantsJson } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { showProblem } from '../problem-page.ts';
import { safeReturnTo } from '../return-to.ts';
import type { State } from '../state.ts';
import { belongsToBrowser, csrfOwner, csrfTokenFor } from './csrf.ts';
import type { LoginFlow } from './flows.ts';
import { loginFlowJson } from './login-flow.ts';
import { showLogin } from './login-page.ts';
import { bearerSession, browserSession } from './presented.ts';
import { aalOf, type Session } from './sessions.ts';

type Answer = Response | Promise<Response>;

/** `GET /self-service/login/api` */
export function beginApi(c: DevContext, state: State): Answer {
  const session = bearerSession(c, state.sessions);
  const asked = askedFor(c, session);
  if ('refusal' in asked) return asked.refusal;
  const begun = { type: 'api', requestUrl: requestUrl(c, state), returnTo: undefined, owner: undefined } as const;
  const flow = state.flows.beginLogin(begun, asked);
  return json(c, 200, loginFlowJson(flow, baseUrl(c, state.url), '', session?.identity));
}

/** `GET /self-service/login/browser`: JSON for a script, a redirect to the login page for a navigation. */
export function beginBrowser(c: DevContext, state: State): Answer {
  const base = baseUrl(c, state.url);
  const wanted = c.req.query('return_to');
  const returnTo = wanted === undefined ? undefined : safeReturnTo(wanted, base);
  if (wanted !== undefined && returnTo === undefined) return refuseReturnTo(c, wanted);
  const session = browserSession(c, state.sessions);
  const asked = askedFor(c, session);
  if ('refusal' in asked) {
    const loggedIn = asked.because === 'logged_in' && !wantsJson(c);
    return loggedIn ? c.redirect(returnTo ?? `${base}/ui`, 303) : asked.refusal;
  }
  const token = csrfTokenFor(c, state);
  const begun = { type: 'browser', requestUrl: requestUrl(c, state), returnTo, owner: csrfOwner(token) } as const;
  const flow = state.flows.beginLogin(begun, asked);
  if (wantsJson(c)) return json(c, 200, loginFlowJson(flow, base, token, session?.identity));
  return c.redirect(`${base}/ui/login?flow=${flow.id}`, 303);
}

/** What Go's strconv.ParseBool takes for true, and so Kratos. */
const TRUE = ['1', 't', 'T', 'true', 'True', 'TRUE'];

type Asked = Pick<LoginFlow, 'aal' | 'refresh' | 'stepsUp'>;

interface Refused {
  readonly refusal: Answer;
  readonly because: 'aal_unknown' | 'no_session' | 'logged_in';
}

/** Whom a session is already good enough for, nobody asks again. */
function askedFor(c: DevContext, session: Session | undefined): Asked | Refused {
  const aal = c.req.query('aal') || 'aal1';
  if (aal !== 'aal1' && aal !== 'aal2') {
    const reason = `Unable to parse AuthenticationMethod Assurance Level (AAL): expected one of [aal1, aal2] but got ${aal}`;
    return { refusal: fault(c, 400, { reason }), because: 'aal_unknown' };
  }
  if (session === undefined) {
    if (aal === 'aal2') return { refusal: firstFactorRequired(c), because: 'no_session' };
    return { aal, refresh: false, stepsUp: false };
  }
  const refresh = TRUE.includes(c.req.query('refresh') ?? '');
  if (!refresh && aal <= aalOf(session)) return { refusal: alreadyLoggedIn(c), because: 'logged_in' };
  return { aal, refresh, stepsUp: aal > aalOf(session) };
}

export function alreadyLoggedIn(c: DevContext): Response {
  return fault(c, 400, {
    id: 'session_already_available',
    reason: 'A valid session was detected and thus login is not possible. Did you forget to set `?refresh=true`?',
    message: 'you are already logged in',
  });
}

export function firstFactorRequired(c: DevContext): Answer {
  const reason = 'You can not requested a higher AAL (AAL2/AAL3) without an active session.';
  if (!wantsJson(c)) return showProblem(c, 401, 'A second factor comes after a first: log in, then try again.');
  const message = 'aal2 and aal3 can only be requested if a session exists already';
  return fault(c, 401, { id: 'session_aal1_required', reason, message });
}

export function refuseReturnTo(c: DevContext, wanted: string): Answer {
  const reason = `Requested return_to URL ${JSON.stringify(wanted)} is not allowed.`;
  if (wantsJson(c)) return fault(c, 400, { id: 'self_service_flow_return_to_forbidden', reason });
  return showProblem(c, 400, `${reason} The development Ory sends browsers to this machine alone.`);
}

export function requestUrl(c: DevContext, state: State): string {
  const { pathname, search } = new URL(c.req.url);
  return `${baseUrl(c, state.url)}${pathname}${search}`;
}

/** `GET /self-service/login/flows?id=`: a browser flow only to the browser that began it. */
export function showLoginFlow(c: DevContext, state: State): Response {
  const flow = state.flows.login(c.req.query('id') ?? '');
  if (!flow) return fault(c, 404, {});
  if (flow.type === 'browser' && !belongsToBrowser(c, state, flow.owner)) return foreignFlow(c);
  return json(c, 200, asJson(c, state, flow));
}

function foreignFlow(c: DevContext): Response {
  const reason = 'Please retry the flow and optionally clear your cookies. The request was rejected to protect you.';
  return fault(c, 403, { id: 'security_csrf_violation', reason });
}

export function asJson(c: DevContext, state: State, flow: LoginFlow): Record<string, unknown> {
  const base = baseUrl(c, state.url);
  if (flow.type === 'api') return loginFlowJson(flow, base, '', bearerSession(c, state.sessions)?.identity);
  return loginFlowJson(flow, base, csrfTokenFor(c, state), browserSession(c, state.sessions)?.identity);
}

/** `GET /ui/login?flow=`: the page. Without a flow that lives and is this browser's, it begins a new one. */
export function loginPage(c: DevContext, state: State): Answer {
  const flow = state.flows.login(c.req.query('flow') ?? '');
  const base = baseUrl(c, state.url);
  if (flow?.type !== 'browser' || !belongsToBrowser(c, state, flow.owner)) {
    return c.redirect(`${base}/self-service/login/browser`, 303);
  }
  const identity = browserSession(c, state.sessions)?.identity;
  return showLogin(c, state, asJson(c, state, flow), flow.aal === 'aal2' ? identity : undefined);
}
