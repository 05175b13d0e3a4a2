// The pages of the development Ory: log in, who is logged in, and what went wrong. No I/O.
import { html } from 'hono/html';
import type { DevContext } from './answer.ts';
import { type Markup, showPage } from './page.ts';
import type { DevUser } from './state.ts';

const note = 'Development Ory: its users and passwords are on this page. Not for production.';

interface Login {
  readonly action: string;
  readonly csrfToken: string;
  readonly identifier: string;
  readonly problem: string | undefined;
  readonly people: readonly DevUser[];
}

export function showLogin(c: DevContext, login: Login): Response | Promise<Response> {
  const { action, csrfToken, identifier, problem, people } = login;
  const hidden = html`<input type="hidden" name="csrf_token" value="${csrfToken}">
<input type="hidden" name="method" value="password">`;
  const main = html`<section class="narrow">
<h1>Log in</h1>
<p class="soft">One click as one of the seeded people:</p>
<ul class="people">${people.map((person) => oneClick(person, action, hidden))}</ul>
</section>
<section class="narrow" aria-labelledby="by-hand">
<h2 id="by-hand">Or with a password</h2>
${problem === undefined ? '' : html`<p class="alert" role="alert" id="problem">${problem}</p>`}
<form method="post" action="${action}">
${hidden}
<label for="identifier">E-mail</label>
<input id="identifier" name="identifier" type="email" autocomplete="username" required value="${identifier}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button class="wide" type="submit">Log in</button>
</form>
</section>`;
  return showPage(c, { title: 'Log in · development Ory', note, main });
}

function oneClick({ name, email, password }: DevUser, action: string, hidden: Markup): Markup {
  return html`<li>
<span><strong>${name}</strong><br><code>${email}</code> <code>${password}</code></span>
<form method="post" action="${action}">
${hidden}
<input type="hidden" name="identifier" value="${email}">
<input type="hidden" name="password" value="${password}">
<button class="quiet" type="submit" aria-label="Log in as ${name}">Log in</button>
</form>
</li>`;
}

interface Home {
  readonly url: string;
  readonly email: string | undefined;
  readonly people: readonly DevUser[];
  readonly client: { readonly id: string; readonly secret: string; readonly audience: readonly string[] };
}

/** Where one lands after a login that named no other place. */
export function showHome(c: DevContext, { url, email, people, client }: Home): Response | Promise<Response> {
  const audience = client.audience.map((value) => ` \\\n  -d audience=${value}`).join('');
  const main = html`<section>
<h1>Development Ory</h1>
<p>Sessions like Kratos's and access tokens like Hydra's, from one process, in memory.</p>
${
  email === undefined
    ? html`<p>You are not logged in.</p><nav><a class="button" href="${url}/self-service/login/browser">Log in</a></nav>`
    : html`<p>You are logged in as <strong class="good">${email}</strong>.</p>
<nav><a class="button quiet" href="${url}/logout">Log out</a></nav>`
}
</section>
<section>
<h2>People</h2>
<table>${people.map((p) => html`<tr><th scope="row">${p.name}</th><td><code>${p.email}</code> <code>${p.password}</code></td></tr>`)}</table>
</section>
<section>
<h2>An access token</h2>
<pre tabindex="0">curl -u ${client.id}:${client.secret} ${url}/oauth2/token \\
  -d grant_type=client_credentials${audience}</pre>
</section>`;
  return showPage(c, { title: 'Development Ory', note, main });
}

export function showProblem(
  c: DevContext,
  status: 400 | 401 | 403 | 404,
  problem: string,
): Response | Promise<Response> {
  const main = html`<section class="narrow">
<h1>That did not work</h1>
<p class="alert" role="alert">${problem}</p>
<nav><a class="button" href="/self-service/login/browser">Log in</a> <a class="button quiet" href="/">Development Ory</a></nav>
</section>`;
  return showPage(c, { title: 'Development Ory', note, main }, status);
}
