// The page of an account's settings at the development Ory. No I/O.
import { html } from 'hono/html';
import type { DevContext } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { flowMessages, flowSections } from '../flow-page.ts';
import { showPage } from '../page.ts';
import { developmentNote, showProblem } from '../problem-page.ts';
import type { State } from '../state.ts';
import { readUiFlow } from '../ui-flow.ts';

export function showSettings(c: DevContext, state: State, json: unknown): Response | Promise<Response> {
  const flow = readUiFlow(json);
  if (!flow) return showProblem(c, 404, 'There are no such settings.');
  const base = baseUrl(c, state.url);
  const main = html`<section class="narrow">
<h1>Account settings</h1>
${flowMessages(flow.messages)}
<nav>${flow.returnTo === undefined ? '' : html`<a class="button" href="${flow.returnTo}">Back</a> `}<a class="button quiet" href="${base}/ui">Development Ory</a> <a class="button quiet" href="${base}/ui/logout">Log out</a></nav>
</section>
${flowSections(flow).map(
  ({ title, body }) => html`<section class="narrow">
<h2>${title}</h2>
${body}
</section>`,
)}`;
  return showPage(c, { title: 'Account settings · development Ory', note: developmentNote, main });
}
