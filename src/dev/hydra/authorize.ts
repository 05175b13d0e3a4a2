// `GET /oauth2/auth`: the authorization code flow with PKCE, for people who log in at this development Ory. No I/O.
import type { DevContext } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { browserSession } from '../kratos/presented.ts';
import { type Session, satisfies } from '../kratos/sessions.ts';
import { secondFactorUrl } from '../kratos/whoami.ts';
import { showProblem } from '../problem-page.ts';
import type { State } from '../state.ts';
import { type AuthorizationRequest, readRequest, sendBack } from './authorization-request.ts';
import { redirectAllowed } from './clients.ts';
import { allow } from './consent.ts';
import { showConsent } from './consent-page.ts';
import { words } from './form.ts';

type Answer = Response | Promise<Response>;

/** Where no address can be trusted yet, the person is told; from then on, the client is (RFC 6749, section 4.1.2.1). */
export function authorize(c: DevContext, state: State): Answer {
  const client = state.clients.get(single(c, 'client_id') ?? '');
  if (!client) return showProblem(c, 400, 'invalid_client: There is no such OAuth2 client.');
  const redirectUri = single(c, 'redirect_uri') ?? '';
  if (!redirectAllowed(client, redirectUri)) {
    return showProblem(c, 400, 'invalid_request: The redirect_uri is not one that the client was registered with.');
  }
  const back = { redirectUri, state: single(c, 'state') ?? '' };
  const request = readRequest(c, client, back, state.clock());
  if ('error' in request) return sendBack(c, back, request);
  return askThePerson(c, state, request);
}

function askThePerson(c: DevContext, state: State, request: AuthorizationRequest): Answer {
  const prompts = words(c.req.query('prompt'));
  const silent = prompts.includes('none');
  const session = browserSession(c, state.sessions);
  const login = loginNeeded(c, state, session, prompts);
  if (session === undefined || login !== undefined) {
    if (silent) return sendBack(c, request, { error: 'login_required', error_description: 'Nobody is logged in.' });
    return c.redirect(login ?? loginUrl(c, state, prompts, false), 303);
  }
  if (request.client.skipConsent) return allow(c, state, request, session);
  if (silent) return sendBack(c, request, { error: 'consent_required', error_description: 'Nobody was asked yet.' });
  return showConsent(c, state, request, session);
}

/** Where the browser is to go before anybody can be asked; undefined where the session will do. */
function loginNeeded(
  c: DevContext,
  state: State,
  session: Session | undefined,
  prompts: readonly string[],
): string | undefined {
  if (session === undefined) return loginUrl(c, state, prompts, false);
  const maxAgeSeconds = Number(c.req.query('max_age') ?? Number.NaN);
  const old = state.clock() - session.authenticatedAtMs > maxAgeSeconds * 1000;
  if (prompts.includes('login') || old) return loginUrl(c, state, prompts, true);
  if (satisfies(session, state.requiredAal)) return undefined;
  return secondFactorUrl(baseUrl(c, state.url), thisUrl(c, state, prompts));
}

function loginUrl(c: DevContext, state: State, prompts: readonly string[], refresh: boolean): string {
  const query = new URLSearchParams({
    ...(refresh ? { refresh: 'true' } : {}),
    return_to: thisUrl(c, state, prompts),
  });
  return `${baseUrl(c, state.url)}/self-service/login/browser?${query}`;
}

/** This request once more, after a login: that one is not asked for again. */
function thisUrl(c: DevContext, state: State, prompts: readonly string[]): string {
  const query = new URLSearchParams(new URL(c.req.url).search);
  const left = prompts.filter((prompt) => prompt !== 'login');
  if (left.length > 0) query.set('prompt', left.join(' '));
  else query.delete('prompt');
  return `${baseUrl(c, state.url)}/oauth2/auth?${query}`;
}

/** A parameter that counts only where it is given once. */
function single(c: DevContext, name: string): string | undefined {
  const values = c.req.queries(name) ?? [];
  return values.length === 1 ? values[0] : undefined;
}
