// The login page of the development Ory: any flow's form, and one click for each of the seeded people. No I/O.
import { html } from 'hono/html';
import type { DevContext } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import { flowMessages, flowSections, noSecondFactor } from '../flow-page.ts';
import { type Markup, showPage } from '../page.ts';
import { developmentNote, showProblem } from '../problem-page.ts';
import type { DevUser, State } from '../state.ts';
import { totpCode } from '../totp.ts';
import { readUiFlow, type UiFlow } from '../ui-flow.ts';
import type { Identity } from './identities.ts';

/** `identity` is who is asked for the second factor. */
export function showLogin(
  c: DevContext,
  state: State,
  json: unknown,
  identity: Identity | undefined,
): Response | Promise<Response> {
  const flow = readUiFlow(json);
  if (!flow) return showProblem(c, 404, 'There is no such login.');
  const sections = flowSections(flow);
  const second = identity !== undefined;
  const main = html`<section class="narrow">
<h1>${second ? 'Second factor' : 'Log in'}</h1>
${flowMessages(flow.messages)}
${second ? currentCode(state, flow, identity, baseUrl(c, state.url)) : oneClickList(state.people, flow)}
</section>
${sections.map(
  ({ body }) => html`<section class="narrow">
<h2>${second ? 'Or with the authenticator app' : 'Or with a password'}</h2>
${body}
</section>`,
)}`;
  return showPage(c, { title: 'Log in · development Ory', note: developmentNote, main });
}

function oneClickList(people: readonly DevUser[], flow: UiFlow): Markup {
  const hidden = hiddenFields(flow);
  return html`<p class="soft">One click as one of the seeded people:</p>
<ul class="people">${people.map((person) => oneClick(person, flow.action, hidden))}</ul>`;
}

function oneClick({ name, email, password, totpSecret }: DevUser, action: string, hidden: Markup): Markup {
  const note = totpSecret === undefined ? '' : html`<br><small>with a second factor</small>`;
  return html`<li>
<span><strong>${name}</strong>${note}<br><code>${email}</code> <code>${password}</code></span>
<form method="post" action="${action}">
${hidden}
<input type="hidden" name="method" value="password">
<input type="hidden" name="identifier" value="${email}">
<input type="hidden" name="password" value="${password}">
<button class="quiet" type="submit" aria-label="Log in as ${name}">Log in</button>
</form>
</li>`;
}

/** Of a seeded person the secret is no secret; of anybody else the code is on their telephone alone. */
function currentCode({ people, clock }: State, flow: UiFlow, identity: Identity, base: string): Markup {
  const seeded = people.find(({ id }) => id === identity.id);
  if (seeded?.totpSecret === undefined || seeded.totpSecret !== identity.totpSecret) {
    const who = html`<p class="soft">Logged in as <code>${identity.identifier}</code>.</p>`;
    const none = identity.totpSecret === undefined;
    return none ? html`${who}${noSecondFactor(`${base}/self-service/settings/browser`)}` : who;
  }
  const code = totpCode(seeded.totpSecret, clock());
  return html`<p class="soft">${seeded.name} is a seeded person. The code of this half minute:</p>
<form method="post" action="${flow.action}">
${hiddenFields(flow)}
<input type="hidden" name="method" value="totp">
<input type="hidden" name="totp_code" value="${code}">
<p class="code"><code>${code}</code> <button class="quiet" type="submit">Use this code</button></p>
</form>`;
}

/** Those of no group, without who one is: in a flow that confirms, that is fixed. */
function hiddenFields(flow: UiFlow): Markup {
  const fields = flow.nodes.flatMap((node) =>
    node.kind === 'input' && node.group === 'default' && node.type === 'hidden' && node.name !== 'identifier'
      ? [html`<input type="hidden" name="${node.name}" value="${node.value}">`]
      : [],
  );
  return html`${fields}`;
}
