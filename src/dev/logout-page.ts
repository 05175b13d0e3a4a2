// A page of another site that leads a browser to a logout is asked about first: the link alone would end the session. No I/O.
import { html } from 'hono/html';
import type { DevContext } from './answer.ts';
import { showPage } from './page.ts';

/** As the browser says (Fetch Metadata); one that says nothing is believed, as a link typed by hand is. */
export function comesFromElsewhere(c: DevContext): boolean {
  return c.req.header('sec-fetch-site') === 'cross-site';
}

/** Asks once more, on this page's own site. */
export function askToLogOut(c: DevContext, note: string): Response | Promise<Response> {
  const { search } = new URL(c.req.url);
  const main = html`<section class="narrow">
<h1>Log out?</h1>
<p class="soft">Another site has sent you here.</p>
<nav><a class="button" href="logout${search}">Log out</a></nav>
</section>`;
  return showPage(c, { title: 'Log out', note, main });
}
