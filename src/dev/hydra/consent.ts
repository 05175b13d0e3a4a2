// What follows from a person's yes or no to a client. No I/O.
import { type DevContext, textMember } from '../answer.ts';
import { csrfMatches } from '../kratos/csrf.ts';
import type { Identity } from '../kratos/identities.ts';
import { browserSession } from '../kratos/presented.ts';
import { type Session, satisfies } from '../kratos/sessions.ts';
import { showProblem } from '../problem-page.ts';
import type { State } from '../state.ts';
import { type AuthorizationRequest, sendBack } from './authorization-request.ts';
import { readForm } from './form.ts';

/** `POST /oauth2/auth/consent`: the answer of the page, of the same person in the same browser, once. */
export async function answerConsent(c: DevContext, state: State): Promise<Response> {
  const form = await readForm(c);
  if (!csrfMatches(c, state, form.get('csrf_token') ?? '')) {
    return showProblem(c, 403, 'This form was not sent from the page that it belongs to.');
  }
  const session = browserSession(c, state.sessions);
  const challenge = form.get('consent_challenge') ?? '';
  const pending = state.consents.get(challenge);
  if (!pending || session?.id !== pending.sessionId || !satisfies(session, state.requiredAal)) {
    return showProblem(c, 400, 'This request has expired. Begin again at the application.');
  }
  state.consents.delete(challenge);
  if (form.get('decision') !== 'allow') {
    const denied = { error: 'access_denied', error_description: 'The resource owner denied the request.' };
    return sendBack(c, pending.request, denied);
  }
  return allow(c, state, pending.request, session);
}

/** Exactly what was asked for: it has been found to be allowed. */
export function allow(c: DevContext, state: State, request: AuthorizationRequest, session: Session): Response {
  const { client, scopes, audience, nonce, redirectUri, codeChallenge } = request;
  const { identity } = session;
  const claims = claimsFor(identity, scopes);
  const grant = {
    client,
    subject: identity.id,
    identity,
    scopes,
    audience,
    ext: scopes.includes('email') ? { email: identity.identifier } : {},
    openid: scopes.includes('openid')
      ? {
          nonce,
          authenticatedAtSeconds: Math.floor(session.authenticatedAtMs / 1000),
          requestedAtSeconds: Math.floor(request.requestedAtMs / 1000),
          sessionId: session.id,
          claims,
        }
      : undefined,
    ended: false,
    generation: 0,
  };
  const code = state.grants.addCode(grant, redirectUri, codeChallenge);
  return sendBack(c, request, { code, scope: scopes.join(' ') });
}

/** OpenID Connect Core, section 5.4, as far as there is something to say. */
function claimsFor(identity: Identity, scopes: readonly string[]): Record<string, unknown> {
  const name = identity.traits['name'];
  const parts = [textMember(name, 'first'), textMember(name, 'last')].filter(Boolean);
  const fullName = typeof name === 'string' ? name : parts.join(' ');
  return {
    ...(scopes.includes('email') ? { email: identity.identifier, email_verified: identity.verified } : {}),
    ...(scopes.includes('profile') && fullName !== '' ? { name: fullName } : {}),
  };
}
