// Login and consent at the real Hydra: its admin API accepts both, as a login application would after asking. Network.
import { at, CookieJar, expectOk, jsonRequest, text } from './http.ts';
import type { AuthorizeInBrowser } from './oauth-client.ts';

const maxSteps = 8;

export function authorizeByAdminApi(adminUrl: string): AuthorizeInBrowser {
  const requests = `${adminUrl}/admin/oauth2/auth/requests`;
  const settle = async (what: string, answer: unknown): Promise<string> =>
    text(await expectOk(`${requests}/${what}`, jsonRequest('PUT', answer)), 'redirect_to');

  return async (url, person, consent, isCallback) => {
    const jar = new CookieJar();
    let next = url;
    for (let step = 0; step < maxSteps; step++) {
      const response = await fetch(next, { redirect: 'manual', headers: { cookie: jar.header() } });
      jar.take(response);
      const location = response.headers.get('location');
      if (location === null) return undefined;
      if (isCallback(location)) return location;
      const { searchParams } = new URL(location, next);
      const login = searchParams.get('login_challenge');
      const challenge = searchParams.get('consent_challenge');
      if (login !== null) {
        next = await settle(`login/accept?login_challenge=${login}`, { subject: person.id });
      } else if (challenge === null) {
        return undefined;
      } else if (consent === 'deny') {
        const denied = { error: 'access_denied', error_description: 'The resource owner denied the request.' };
        next = await settle(`consent/reject?consent_challenge=${challenge}`, denied);
      } else {
        const asked = await expectOk(`${requests}/consent?consent_challenge=${challenge}`, {});
        next = await settle(`consent/accept?consent_challenge=${challenge}`, allowed(asked, person.email));
      }
    }
    throw new Error('the authorization did not come to an end');
  };
}

/** What was asked for, and what the development Ory says of a person too. */
function allowed(asked: unknown, email: string): Record<string, unknown> {
  const scopes = at(asked, 'requested_scope');
  const withEmail = Array.isArray(scopes) && scopes.includes('email');
  return {
    grant_scope: scopes,
    grant_access_token_audience: at(asked, 'requested_access_token_audience'),
    session: withEmail ? { id_token: { email, email_verified: false }, access_token: { email } } : {},
  };
}
