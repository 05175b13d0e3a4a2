// `POST /self-service/login?flow=`: the first factor and the second. No I/O.
import { type DevContext, fault, json, wantsJson } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { showProblem } from '../problem-page.ts';
import type { State } from '../state.ts';
import { totpMatches } from '../totp.ts';
import { csrfMatches, renewCsrf } from './csrf.ts';
import type { LoginFlow } from './flows.ts';
import type { Identity } from './identities.ts';
import { alreadyLoggedIn, asJson, firstFactorRequired } from './login.ts';
import { invalidCode, invalidCredentials, type Message, noLoginMethod, propertyMissing } from './messages.ts';
import { bearerSession, browserSession, setSessionCookie } from './presented.ts';
import { aalOf, type Session, satisfies, sessionJson } from './sessions.ts';
import { readSubmission, type Submission } from './submission.ts';
import { secondFactorUrl } from './whoami.ts';

type Answer = Response | Promise<Response>;

export async function submitLogin(c: DevContext, state: State): Promise<Response> {
  const id = c.req.query('flow') ?? '';
  if (id === '') return fault(c, 400, { reason: 'The flow query parameter is missing or malformed.' });
  const base = baseUrl(c, state.url);
  const flow = state.flows.login(id);
  if (!flow) return wantsJson(c) ? fault(c, 404, {}) : c.redirect(`${base}/self-service/login/browser`, 303);
  const given = await readSubmission(c);
  const browser = flow.type === 'browser';
  if (browser && !csrfMatches(c, state, given.text('csrf_token'))) return refuseCsrf(c);

  // Of a program's flow no cookie counts: nothing else keeps other pages from sending it.
  const session = browser ? browserSession(c, state.sessions) : bearerSession(c, state.sessions);
  if (session && !flow.refresh && flow.aal <= aalOf(session)) {
    return browser && !wantsJson(c) ? c.redirect(`${base}/ui`, 303) : alreadyLoggedIn(c);
  }
  if (!session && flow.aal === 'aal2') return firstFactorRequired(c);
  return session && flow.aal === 'aal2'
    ? secondFactor(c, state, flow, session, given)
    : firstFactor(c, state, flow, session, given);
}

async function firstFactor(
  c: DevContext,
  state: State,
  flow: LoginFlow,
  session: Session | undefined,
  given: Submission,
): Promise<Response> {
  const identifier = given.text('identifier') || given.text('password_identifier');
  const password = given.text('password');
  flow.identifier = identifier;
  if (given.text('method') !== 'password') return failed(c, state, flow, [noLoginMethod]);
  if (identifier === '') return failed(c, state, flow, [propertyMissing('identifier')]);
  if (password === '') return failed(c, state, flow, [], ['password', propertyMissing('password')]);
  const identity = await state.identities.withPassword(identifier, password);
  if (!identity) return failed(c, state, flow, [invalidCredentials]);
  if (identity.state !== 'active') return disabled(c, flow);
  return succeed(c, state, flow, sessionFor(c, state, identity, session));
}

/** The same session goes on; who comes as somebody else gets one of their own. */
function sessionFor(c: DevContext, state: State, identity: Identity, session: Session | undefined): Session {
  const device = [peerAddress(c), c.req.header('user-agent') ?? ''] as const;
  if (session?.identity !== identity) return state.sessions.issue(identity, ...device);
  state.sessions.refresh(session, 'password', ...device);
  return session;
}

function secondFactor(c: DevContext, state: State, flow: LoginFlow, session: Session, given: Submission): Answer {
  const secret = session.identity.totpSecret;
  const code = given.text('totp_code');
  if (secret === undefined || given.text('method') !== 'totp') return failed(c, state, flow, [noLoginMethod]);
  if (code === '') return failed(c, state, flow, [], ['totp_code', propertyMissing('totp_code')]);
  if (!totpMatches(secret, code, state.clock())) return failed(c, state, flow, [invalidCode]);
  state.sessions.refresh(session, 'totp', peerAddress(c), c.req.header('user-agent') ?? '');
  return succeed(c, state, flow, session);
}

function peerAddress(c: DevContext): string {
  const { remoteAddress, remotePort } = c.env.incoming.socket;
  return `${remoteAddress ?? ''}:${remotePort ?? ''}`;
}

export function refuseCsrf(c: DevContext): Answer {
  const reason = 'The csrf token does not belong to the csrf cookie. Begin a new login, with cookies allowed.';
  if (wantsJson(c)) return fault(c, 403, { id: 'security_csrf_violation', reason });
  return showProblem(c, 403, reason);
}

function disabled(c: DevContext, flow: LoginFlow): Answer {
  const reason = 'This account was disabled.';
  if (flow.type === 'browser' && !wantsJson(c)) return showProblem(c, 401, reason);
  return fault(c, 401, { reason, message: 'identity is disabled' });
}

function failed(
  c: DevContext,
  state: State,
  flow: LoginFlow,
  messages: readonly Message[],
  ...fields: readonly (readonly [name: string, message: Message])[]
): Response {
  flow.messages = messages;
  flow.fieldMessages = new Map(fields);
  if (flow.type === 'browser' && !wantsJson(c)) {
    return c.redirect(`${baseUrl(c, state.url)}/ui/login?flow=${flow.id}`, 303);
  }
  return json(c, 400, asJson(c, state, flow));
}

function succeed(c: DevContext, state: State, flow: LoginFlow, session: Session): Response {
  const base = baseUrl(c, state.url);
  const enough = satisfies(session, state.requiredAal);
  const body = sessionJson(session, base);
  if (flow.type === 'api') {
    // Kratos, too, shows nobody's traits to half a login.
    const shown = enough ? body : { ...body, identity: null };
    return json(c, 200, { session_token: session.token, session: shown, continue_with: null });
  }
  renewCsrf(c, state);
  setSessionCookie(c, state, session);
  const target = enough ? (flow.returnTo ?? `${base}/ui`) : secondFactorUrl(base, flow.returnTo);
  if (!wantsJson(c)) return c.redirect(target, 303);
  if (!enough) return changeLocation(c, target);
  const next = { action: 'redirect_browser_to', redirect_browser_to: target };
  return json(c, 200, { session: body, continue_with: [next] });
}

function changeLocation(c: DevContext, target: string): Response {
  return fault(c, 422, {
    id: 'browser_location_change_required',
    reason: `In order to complete this flow please redirect the browser to: ${target}`,
    message: 'browser location change required',
    redirect: target,
  });
}
