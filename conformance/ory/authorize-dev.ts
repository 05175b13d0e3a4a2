// Login and consent at the development Ory: by its own pages, as a browser goes through them. Network.
import { CookieJar, csrfToken, expectOk, text } from './http.ts';
import type { AuthorizeInBrowser } from './oauth-client.ts';
import type { Ory, Person } from './ory.ts';

const maxSteps = 8;

export function authorizeByPages({ publicUrl }: Ory['kratos']): AuthorizeInBrowser {
  return async (url, person, consent, isCallback) => {
    const jar = new CookieJar();
    const go = async (to: string, init: RequestInit = {}): Promise<Response> => {
      const response = await fetch(to, {
        redirect: 'manual',
        ...init,
        headers: { accept: 'text/html', cookie: jar.header() },
      });
      jar.take(response);
      return response;
    };
    let response = await go(url);
    for (let step = 0; step < maxSteps; step++) {
      const location = response.headers.get('location');
      if (location !== null && isCallback(location)) return location;
      const flow = location === null ? null : new URL(location).searchParams.get('flow');
      if (flow !== null) response = await logIn(publicUrl, flow, person, jar);
      else if (location !== null) response = await go(location);
      else if (response.status !== 200) return undefined;
      else response = await decide(response, consent, go);
    }
    throw new Error('the authorization did not come to an end');
  };
}

async function logIn(publicUrl: string, id: string, person: Person, jar: CookieJar): Promise<Response> {
  const headers = { accept: 'application/json', cookie: jar.header() };
  const flow = await expectOk(`${publicUrl}/self-service/login/flows?id=${id}`, { headers });
  const given = { method: 'password', identifier: person.email, password: person.password };
  const body = new URLSearchParams({ ...given, csrf_token: csrfToken(flow) });
  const response = await fetch(text(flow, 'ui', 'action'), {
    method: 'POST',
    redirect: 'manual',
    headers: { accept: 'text/html', cookie: jar.header() },
    body,
  });
  jar.take(response);
  return response;
}

async function decide(
  page: Response,
  decision: 'allow' | 'deny',
  go: (to: string, init: RequestInit) => Promise<Response>,
): Promise<Response> {
  const markup = await page.text();
  const field = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(markup)?.[1] ?? '';
  const action = /<form method="post" action="([^"]+)"/.exec(markup)?.[1];
  if (action === undefined) throw new Error(`no consent page: ${markup}`);
  const body = new URLSearchParams({
    csrf_token: field('csrf_token'),
    consent_challenge: field('consent_challenge'),
    decision,
  });
  return go(action, { method: 'POST', body });
}
