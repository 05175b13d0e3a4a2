// The page on which a person says what an application may do in their name. No I/O.
import { randomUUID } from 'node:crypto';
import { html } from 'hono/html';
import type { DevContext } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { csrfTokenFor } from '../kratos/csrf.ts';
import type { Session } from '../kratos/sessions.ts';
import { showPage } from '../page.ts';
import { developmentNote } from '../problem-page.ts';
import type { State } from '../state.ts';
import { isWeb } from '../ui-flow.ts';
import type { AuthorizationRequest } from './authorization-request.ts';

const meanings: Readonly<Record<string, string>> = {
  openid: 'know who you are',
  email: 'see your e-mail address',
  profile: 'see your name',
  offline: 'keep this access while you are away',
  offline_access: 'keep this access while you are away',
};

export function showConsent(
  c: DevContext,
  state: State,
  request: AuthorizationRequest,
  session: Session,
): Response | Promise<Response> {
  const { client, scopes, audience, redirectUri } = request;
  const challenge = randomUUID();
  state.consents.set(challenge, { request, sessionId: session.id });
  const name = String(client.metadata['client_name'] ?? '') || client.id;
  const scope = (value: string) =>
    html`<tr><th scope="row"><code>${value}</code></th><td>${meanings[value] ?? ''}</td></tr>`;
  const main = html`<section class="narrow">
<h1>${name}</h1>
<p>wants to act for <strong class="good">${session.identity.identifier}</strong>.</p>
${scopes.length === 0 ? html`<p class="soft">It asks for no scopes.</p>` : html`<table>${scopes.map(scope)}</table>`}
${audience.length === 0 ? '' : html`<p class="soft">At ${audience.map((value) => html`<code>${value}</code> `)}</p>`}
<p class="soft">The answer goes to <code>${new URL(redirectUri).host || new URL(redirectUri).protocol}</code></p>
<form method="post" action="${baseUrl(c, state.url)}/oauth2/auth/consent">
<input type="hidden" name="csrf_token" value="${csrfTokenFor(c, state)}">
<input type="hidden" name="consent_challenge" value="${challenge}">
<nav><button type="submit" name="decision" value="allow">Allow</button>
<button class="quiet" type="submit" name="decision" value="deny">Deny</button></nav>
</form>
</section>`;
  const formOrigins = formTargets(redirectUri);
  return showPage(c, { title: 'Allow access · development Ory', note: developmentNote, main, formOrigins });
}

/** A browser follows the redirect after a form only to where the page's policy lets forms go. */
function formTargets(redirectUri: string): string[] {
  const { origin, protocol } = new URL(redirectUri);
  if (isWeb(redirectUri)) return [origin];
  return /^[a-z][a-z0-9+.-]*:$/.test(protocol) && !protocol.startsWith('http') ? [protocol] : [];
}
