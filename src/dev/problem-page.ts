// What the development Ory shows a person where something is refused. No I/O.
import { html } from 'hono/html';
import type { DevContext } from './answer.ts';
import { baseUrl } from './base-url.ts';
import { type PageStatus, showPage } from './page.ts';

export const developmentNote = 'Development Ory: its users and passwords are on its pages. Not for production.';

export function showProblem(c: DevContext, status: PageStatus, problem: string): Response | Promise<Response> {
  const base = baseUrl(c, '');
  const main = html`<section class="narrow">
<h1>That did not work</h1>
<p class="alert" role="alert">${problem}</p>
<nav><a class="button" href="${base}/self-service/login/browser">Log in</a> <a class="button quiet" href="${base}/ui">Development Ory</a></nav>
</section>`;
  return showPage(c, { title: 'Development Ory', note: developmentNote, main }, status);
}
