// The first page of the development Ory: who is logged in, who could be, and how to get a token. No I/O.
import { html } from 'hono/html';
import type { DevContext } from './answer.ts';
import { baseUrl } from './base-url.ts';
import type { Client } from './hydra/clients.ts';
import { browserSession } from './kratos/presented.ts';
import { aalOf, satisfies } from './kratos/sessions.ts';
import { secondFactorUrl } from './kratos/whoami.ts';
import { type Markup, showPage } from './page.ts';
import { developmentNote } from './problem-page.ts';
import type { State } from './state.ts';

/** Where one lands after a login that named no other place. */
export function showHome(c: DevContext, state: State, client: Client): Response | Promise<Response> {
  const { people, sessions } = state;
  const base = baseUrl(c, state.url);
  const audience = client.audience.map((value) => ` \\\n  -d audience=${value}`).join('');
  const main = html`<section>
<h1>Development Ory</h1>
<p>Sessions like Kratos's and access tokens like Hydra's, from one process, in memory.</p>
${who(c, state, base)}
</section>
<section>
<h2>People</h2>
<table>${people.map(
    (
      p,
    ) => html`<tr><th scope="row">${p.name}${p.totpSecret === undefined ? '' : html`<br><small>second factor</small>`}</th>
<td><code>${p.email}</code> <code>${p.password}</code></td></tr>`,
  )}</table>
<p class="soft">Living sessions: ${sessions.list().length}${adminLink(state, base)}</p>
</section>
<section>
<h2>An access token</h2>
<pre tabindex="0">curl -u ${client.id}:${client.secret} ${base}/oauth2/token \\
  -d grant_type=client_credentials${audience}</pre>
<p class="soft">For a browser: <a href="${base}/.well-known/openid-configuration">discovery</a>, authorization code with PKCE, dynamic registration.</p>
</section>`;
  return showPage(c, { title: 'Development Ory', note: developmentNote, main });
}

/** Behind a proxy there is no admin API. */
function adminLink({ url }: State, base: string): Markup | string {
  if (base !== url) return '';
  return html`, <a href="${url}/admin/sessions?expand=identity&expand=devices">as JSON</a>`;
}

function who(c: DevContext, { sessions, requiredAal }: State, base: string): Markup {
  const session = browserSession(c, sessions);
  if (!session) {
    return html`<p>You are not logged in.</p><nav><a class="button" href="${base}/self-service/login/browser">Log in</a></nav>`;
  }
  const stepUp = satisfies(session, requiredAal)
    ? ''
    : html`<a class="button" href="${secondFactorUrl(base)}">Give the second factor</a> `;
  return html`<p>You are logged in as <strong class="good">${session.identity.identifier}</strong> (${aalOf(session)}).</p>
<nav>${stepUp}<a class="button quiet" href="${base}/self-service/settings/browser">Account settings</a>
<a class="button quiet" href="${base}/ui/logout">Log out</a></nav>`;
}
