// `POST /self-service/settings?flow=`: a new profile or password, an authenticator app put in place or taken away. No I/O.
import { type DevContext, fault, json, member, wantsJson } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import { newTotpSecret, totpMatches } from '../totp.ts';
import { csrfMatches } from './csrf.ts';
import type { SettingsFlow } from './flows.ts';
import { refuseCsrf } from './login-submit.ts';
import {
  emailInvalid,
  emailTaken,
  invalidCode,
  type Message,
  noSettingsMethod,
  passwordTooShort,
  propertyMissing,
} from './messages.ts';
import { setSessionCookie } from './presented.ts';
import type { Session } from './sessions.ts';
import { asJson, foreignSettings, logInFirst, sessionOf, stepUpFirst } from './settings.ts';
import { readSubmission, type Submission } from './submission.ts';
import { traitsWithForm } from './traits.ts';

/** What is guarded by it may be changed for so long after the login; then the password is asked for once more. */
const privilegedMs = 60 * 60 * 1000;
const minPasswordLength = 8;

interface Change {
  readonly flow: SettingsFlow;
  readonly session: Session;
  readonly given: Submission;
}

type Outcome =
  | { readonly kind: 'saved' }
  | { readonly kind: 'not_fresh' }
  | { readonly kind: 'failed'; readonly message: Message; readonly field?: string };

const saved: Outcome = { kind: 'saved' };
const notFresh: Outcome = { kind: 'not_fresh' };

export async function submitSettings(c: DevContext, state: State): Promise<Response> {
  const base = baseUrl(c, state.url);
  const id = c.req.query('flow') ?? '';
  if (id === '') return fault(c, 400, { reason: 'The flow query parameter is missing or malformed.' });
  const flow = state.flows.settings(id);
  if (!flow) return wantsJson(c) ? fault(c, 404, {}) : c.redirect(`${base}/self-service/settings/browser`, 303);
  const session = sessionOf(c, state, flow);
  if (session === 'none') return logInFirst(c, base);
  if (session === 'foreign') return foreignSettings(c);
  if (session === 'weak') return stepUpFirst(c, base);
  const given = await readSubmission(c);
  if (flow.type === 'browser' && !csrfMatches(c, state, given.text('csrf_token'))) return refuseCsrf(c);

  const outcome = await change(state, { flow, session, given });
  switch (outcome.kind) {
    case 'saved':
      return succeed(c, state, flow, session);
    case 'not_fresh':
      return passwordFirst(c, base, flow);
    case 'failed':
      return failed(c, state, flow, outcome.message, outcome.field);
  }
}

async function change(state: State, { flow, session, given }: Change): Promise<Outcome> {
  const fresh = session.authenticatedAtMs + privilegedMs > state.clock();
  const unlink = given.value('totp_unlink');
  const method = given.text('method') || (unlink === true || unlink === 'true' ? 'totp' : '');
  switch (method) {
    case 'profile':
      return profile(state, flow, given, fresh);
    case 'password':
      return fresh ? password(state, flow, given) : notFresh;
    case 'totp':
      return fresh ? totp(state, { flow, session, given }) : notFresh;
    default:
      return { kind: 'failed', message: noSettingsMethod };
  }
}

function profile({ identities }: State, { identity }: SettingsFlow, given: Submission, fresh: boolean): Outcome {
  const sent = given.value('traits');
  const traits =
    given.fields.size > 0 || typeof sent !== 'object' || sent === null || Array.isArray(sent)
      ? traitsWithForm(identity.traits, given.fields)
      : { ...sent };
  const email = member(traits, 'email');
  if (!fresh && email !== identity.traits['email']) return notFresh;
  const field = 'traits.email';
  switch (identities.setTraits(identity, traits)) {
    case 'set':
      return saved;
    case 'taken':
      return { kind: 'failed', message: emailTaken };
    case 'no_email':
      return { kind: 'failed', message: emailInvalid, field };
  }
}

async function password({ identities }: State, { identity }: SettingsFlow, given: Submission): Promise<Outcome> {
  const field = 'password';
  const value = given.text('password');
  if (value === '') return { kind: 'failed', message: propertyMissing('password'), field };
  if (value.length < minPasswordLength) {
    return { kind: 'failed', message: passwordTooShort(minPasswordLength, value.length), field };
  }
  await identities.setPassword(identity, value);
  return saved;
}

/** Where there is one, it can only be taken away; where there is none, the code proves that the app has the secret. */
function totp({ identities, sessions, clock }: State, { flow, session, given }: Change): Outcome {
  if (flow.identity.totpSecret !== undefined) {
    const unlink = given.value('totp_unlink');
    if (unlink !== true && unlink !== 'true') return { kind: 'failed', message: noSettingsMethod };
    identities.setTotp(flow.identity, undefined);
    return saved;
  }
  const field = 'totp_code';
  const code = given.text('totp_code');
  if (code === '') return { kind: 'failed', message: propertyMissing('totp_code'), field };
  if (!totpMatches(flow.totpSecret, code, clock())) return { kind: 'failed', message: invalidCode, field };
  identities.setTotp(flow.identity, flow.totpSecret);
  sessions.addMethod(session, 'totp');
  return saved;
}

function passwordFirst(c: DevContext, base: string, flow: SettingsFlow): Response {
  const query = new URLSearchParams({
    refresh: 'true',
    return_to: `${base}/self-service/settings?flow=${flow.id}`,
  });
  const target = `${base}/self-service/login/browser?${query}`;
  if (flow.type === 'browser' && !wantsJson(c)) return c.redirect(target, 303);
  return fault(c, 403, {
    id: 'session_refresh_required',
    reason: 'The login session is too old and thus not allowed to update these fields. Please re-authenticate.',
    message: 'The requested action was forbidden',
    redirect: target,
  });
}

function failed(c: DevContext, state: State, flow: SettingsFlow, message: Message, field?: string): Response {
  flow.saved = false;
  flow.messages = field === undefined ? [message] : [];
  flow.fieldMessages = new Map(field === undefined ? [] : [[field, message]]);
  if (flow.type === 'browser' && !wantsJson(c)) return c.redirect(pageOf(c, state, flow), 303);
  return json(c, 400, asJson(c, state, flow));
}

function succeed(c: DevContext, state: State, flow: SettingsFlow, session: Session): Response {
  flow.saved = true;
  flow.messages = [];
  flow.fieldMessages = new Map();
  flow.totpSecret = newTotpSecret();
  if (flow.type === 'api') return json(c, 200, asJson(c, state, flow));
  setSessionCookie(c, state, session);
  const target = flow.returnTo ?? pageOf(c, state, flow);
  if (!wantsJson(c)) return c.redirect(target, 303);
  const next = { action: 'redirect_browser_to', redirect_browser_to: target };
  return json(c, 200, { ...asJson(c, state, flow), continue_with: [next] });
}

function pageOf(c: DevContext, state: State, flow: SettingsFlow): string {
  return `${baseUrl(c, state.url)}/ui/settings?flow=${flow.id}`;
}
