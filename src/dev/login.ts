// Login at the development Ory: for programs (API flow) and for browsers (cookie and csrf token). No I/O.
import { setCookie } from 'hono/cookie';
import { type DevContext, fault, json, readJson, textMember, wantsJson } from './answer.ts';
import { csrfMatches, csrfSecret, csrfToken, renewCsrf } from './csrf.ts';
import { type Flow, flowAction, flowJson, type Problem } from './flows.ts';
import type { Identity } from './identities.ts';
import { showLogin, showProblem } from './login-page.ts';
import { safeReturnTo } from './return-to.ts';
import { presentedToken, type Session, sessionCookie, sessionJson } from './sessions.ts';
import type { State } from './state.ts';

const invalidCredentials: Problem = {
  id: 4000006,
  text: 'The e-mail address or the password is not right. Check both for typing mistakes.',
};
const disabled: Problem = { id: 4000010, text: 'This account was disabled.' };

/** `GET /self-service/login/api` */
export function beginApi(c: DevContext, { flows, url }: State): Response {
  const flow = flows.begin('api', `${url}/self-service/login/api`);
  return json(c, 200, flowJson(flow, url, ''));
}

/** `GET /self-service/login/browser`: JSON for a script, a redirect to the login page for a navigation. */
export function beginBrowser(c: DevContext, state: State): Response | Promise<Response> {
  const { flows, sessions, url, csrfCookie } = state;
  const wanted = c.req.query('return_to');
  const returnTo = wanted === undefined ? undefined : safeReturnTo(wanted, url);
  if (wanted !== undefined && returnTo === undefined) return refuseReturnTo(c, wanted);
  if (sessions.active(presentedToken(c, sessions)) && c.req.query('refresh') !== 'true') {
    if (!wantsJson(c)) return c.redirect(returnTo ?? `${url}/`, 303);
    return fault(c, 400, {
      id: 'session_already_available',
      reason: 'A valid session was detected, so there is no need to log in. Add ?refresh=true to do so anyway.',
      message: 'you are already logged in',
    });
  }
  const { pathname, search } = new URL(c.req.url);
  const flow = flows.begin('browser', `${url}${pathname}${search}`, returnTo);
  const secret = csrfSecret(c, csrfCookie);
  if (wantsJson(c)) return json(c, 200, flowJson(flow, url, csrfToken(secret)));
  return c.redirect(`${url}/login?flow=${flow.id}`, 303);
}

export function refuseReturnTo(c: DevContext, wanted: string): Response | Promise<Response> {
  const reason = `Requested return_to URL ${JSON.stringify(wanted)} is not allowed.`;
  if (wantsJson(c)) return fault(c, 400, { id: 'self_service_flow_return_to_forbidden', reason });
  return showProblem(c, 400, `${reason} The development Ory sends browsers to this machine alone.`);
}

/** `GET /self-service/login/flows?id=`: a browser flow only to the browser that began it. */
export function showFlow(c: DevContext, { flows, url, csrfCookie }: State): Response {
  const flow = flows.get(c.req.query('id') ?? '');
  if (!flow) return fault(c, 404, {});
  return json(c, 200, flowJson(flow, url, flow.type === 'api' ? '' : csrfToken(csrfSecret(c, csrfCookie))));
}

/** `GET /login?flow=`: the page. Without a flow that lives it begins a new one. */
export function loginPage(c: DevContext, state: State): Response | Promise<Response> {
  const flow = state.flows.get(c.req.query('flow') ?? '');
  if (flow?.type !== 'browser') return c.redirect(`${state.url}/self-service/login/browser`, 303);
  return showLogin(c, {
    action: flowAction(flow, state.url),
    csrfToken: csrfToken(csrfSecret(c, state.csrfCookie)),
    identifier: flow.identifier,
    problem: flow.problem?.text,
    people: state.people,
  });
}

interface Attempt {
  readonly method: string;
  readonly identifier: string;
  readonly password: string;
  readonly csrfToken: string;
}

/** `POST /self-service/login?flow=` */
export async function submit(c: DevContext, state: State): Promise<Response> {
  const id = c.req.query('flow') ?? '';
  if (id === '') return fault(c, 400, { reason: 'The flow query parameter is missing or malformed.' });
  const flow = state.flows.get(id);
  if (!flow) return wantsJson(c) ? fault(c, 404, {}) : c.redirect(`${state.url}/self-service/login/browser`, 303);
  const attempt = await readAttempt(c);
  if (flow.type === 'browser' && !csrfMatches(c, state.csrfCookie, attempt.csrfToken)) return refuseCsrf(c);

  flow.identifier = attempt.identifier;
  if (attempt.method !== 'password') {
    return failed(c, state, flow, 400, { id: 4000001, text: 'Could not find any login strategy: method is password.' });
  }
  const identity = await state.identities.withPassword(attempt.identifier, attempt.password);
  if (!identity) return failed(c, state, flow, 400, invalidCredentials);
  if (identity.state !== 'active') return failed(c, state, flow, 401, disabled);
  flow.problem = undefined;
  return succeed(c, state, flow, identity);
}

async function readAttempt(c: DevContext): Promise<Attempt> {
  const type = c.req.header('content-type') ?? '';
  const form = type.startsWith('application/x-www-form-urlencoded');
  const body = form ? Object.fromEntries(new URLSearchParams(await c.req.text())) : await readJson(c);
  return {
    method: textMember(body, 'method'),
    identifier: textMember(body, 'identifier') || textMember(body, 'password_identifier'),
    password: textMember(body, 'password'),
    csrfToken: textMember(body, 'csrf_token') || (c.req.header('x-csrf-token') ?? ''),
  };
}

function refuseCsrf(c: DevContext): Response | Promise<Response> {
  const reason = 'The csrf token does not belong to the csrf cookie. Begin a new login, with cookies allowed.';
  if (wantsJson(c)) return fault(c, 403, { id: 'security_csrf_violation', reason });
  return showProblem(c, 403, reason);
}

function failed(c: DevContext, state: State, flow: Flow, status: 400 | 401, problem: Problem): Response {
  flow.problem = problem;
  if (flow.type === 'browser' && !wantsJson(c)) return c.redirect(`${state.url}/login?flow=${flow.id}`, 303);
  if (status === 401) return fault(c, 401, { reason: problem.text, message: 'identity is disabled' });
  const token = flow.type === 'api' ? '' : csrfToken(csrfSecret(c, state.csrfCookie));
  return json(c, 400, flowJson(flow, state.url, token));
}

function succeed(c: DevContext, state: State, flow: Flow, identity: Identity): Response {
  const peer = c.env.incoming.socket;
  const ip = `${peer.remoteAddress ?? ''}:${peer.remotePort ?? ''}`;
  const session = state.sessions.issue(identity, ip, c.req.header('user-agent') ?? '');
  const body = sessionJson(session, state.url);
  if (flow.type === 'api') return json(c, 200, { session_token: session.token, session: body, continue_with: null });

  renewCsrf(c, state.csrfCookie);
  setSessionCookie(c, state, session);
  const target = flow.returnTo ?? `${state.url}/`;
  if (!wantsJson(c)) return c.redirect(target, 303);
  const next = { action: 'redirect_browser_to', redirect_browser_to: target };
  return json(c, 200, { session: body, continue_with: [next] });
}

function setSessionCookie(c: DevContext, { sessions, clock }: State, session: Session): void {
  const maxAge = Math.floor((session.expiresAtMs - clock()) / 1000);
  setCookie(c, sessionCookie, sessions.seal(session), { path: '/', maxAge, httpOnly: true, sameSite: 'Lax' });
}
