// Login and settings pages for a real Kratos: its `ui_url`s point here. It asks Kratos for the flow, with the browser's
// own cookies, and shows the form; the form itself goes to Kratos. On loopback, for development. Network.
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { type DevContext, list, member, textMember } from './answer.ts';
import { flowMessages, flowSections, noSecondFactor } from './flow-page.ts';
import { type Listening, listen } from './listen.ts';
import { askToLogOut, comesFromElsewhere } from './logout-page.ts';
import { developmentHeader, type Markup, type PageStatus, showPage } from './page.ts';
import { isWeb, readUiFlow } from './ui-flow.ts';
import { type Asked, askKratos } from './upstream-kratos.ts';

export interface LoginUiOptions {
  /** Default: `127.0.0.1`. Only a loopback address is taken. */
  readonly host?: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Kratos's public API as this process reaches it. */
  readonly kratosUrl: string;
  /** The same as the browser reaches it, such as `{edge.public_url}/.ory`. Default: `kratosUrl`. */
  readonly browserUrl?: string;
  /** The cookies that are Kratos's beside its csrf cookie; `*` at the end is any. The others are not shown to it. */
  readonly sessionCookies?: readonly string[];
  /** Where Kratos may send the browser after a form, beside this machine: origins. Default: none. */
  readonly returnOrigins?: readonly string[];
  /** Default: 5000. */
  readonly timeoutMs?: number;
}

interface Kratos {
  readonly browserUrl: string;
  readonly returnOrigins: readonly string[];
  ask(c: DevContext, path: string, query: Readonly<Record<string, string>>): Promise<Asked>;
}

const titles = { login: 'Log in', settings: 'Account settings' } as const;
const note = 'Login pages of ory-envoy, for development with a real Ory Kratos. Not for production.';

/**
 * Serves `/login`, `/settings`, `/error` and `/logout`.
 * @throws Node's own error where the port is in use (`EADDRINUSE`), TypeError where an address is none
 */
export async function startLoginUi(options: LoginUiOptions): Promise<Listening> {
  kratosOf(options);
  return listen(options.host ?? '127.0.0.1', options.port, async () => routes(() => kratosOf(options)));
}

function kratosOf(options: LoginUiOptions): Kratos {
  const cookies = ['csrf_token_*', ...(options.sessionCookies ?? ['ory_kratos_session', 'ory_session_*'])];
  const { timeoutMs = 5_000 } = options;
  const kratosUrl = withoutSlash(options.kratosUrl);
  const browserUrl = withoutSlash(options.browserUrl ?? kratosUrl);
  return {
    browserUrl,
    returnOrigins: [new URL(browserUrl).origin, ...(options.returnOrigins ?? []).map((url) => new URL(url).origin)],
    ask: (c, path, query) =>
      askKratos({ url: `${kratosUrl}${path}?${new URLSearchParams(query)}`, timeoutMs, cookies }, c),
  };
}

function withoutSlash(address: string): string {
  return new URL(address).href.replace(/\/+$/, '');
}

/** Asked for anew with each page: its addresses may change. */
function routes(kratos: () => Kratos): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(async (c, next) => {
    await next();
    c.header(...developmentHeader);
  });
  app.onError((_, c) => problem(c, kratos(), 502, 'This page could not be made.'));
  app.notFound((c) => problem(c, kratos(), 404, 'No such page.'));
  app.get('/login', (c) => flowPage(c, kratos(), 'login'));
  app.get('/settings', (c) => flowPage(c, kratos(), 'settings'));
  app.get('/error', (c) => errorPage(c, kratos()));
  app.get('/logout', (c) => logout(c, kratos()));
  return app;
}

async function flowPage(c: DevContext, kratos: Kratos, kind: keyof typeof titles): Promise<Response> {
  const begin = `${kratos.browserUrl}/self-service/${kind}/browser`;
  const id = c.req.query('flow') ?? '';
  if (id === '') return c.redirect(begin, 303);
  const asked = await kratos.ask(c, `/self-service/${kind}/flows`, { id });
  if (asked.kind === 'unavailable') return problem(c, kratos, 502, unavailable(asked.why));
  const flow = asked.status === 200 ? readUiFlow(asked.body) : undefined;
  if (!flow) return problem(c, kratos, ...refusal(asked.status));
  const sections = flowSections(flow);
  const main = html`<section class="narrow">
<h1>${titles[kind]}</h1>
${flowMessages(flow.messages)}
${kind === 'settings' ? html`<nav>${flow.returnTo === undefined ? '' : html`<a class="button" href="${flow.returnTo}">Back</a> `}<a class="button quiet" href="/logout">Log out</a></nav>` : ''}
${sections.length === 0 ? nothingToShow(kratos, kind, member(asked.body, 'requested_aal')) : ''}
</section>
${sections.map(({ title, body }) => html`<section class="narrow">${title === '' ? '' : html`<h2>${title}</h2>`}${body}</section>`)}`;
  const formOrigins = [new URL(flow.action).origin, ...kratos.returnOrigins];
  return showPage(c, { title: titles[kind], note, main, formOrigins });
}

/** Kratos begins a flow for the second factor of whoever has none as well: it asks for nothing. */
function nothingToShow({ browserUrl }: Kratos, kind: keyof typeof titles, level: unknown): Markup {
  if (kind === 'login' && level === 'aal2') return noSecondFactor(`${browserUrl}/self-service/settings/browser`);
  return html`<p class="soft">This flow has nothing that a page without scripts could show.</p>`;
}

function unavailable(why: string): string {
  return `Kratos did not answer: ${why}. Is it running, and is its public address right?`;
}

function refusal(status: number): [PageStatus, string] {
  switch (status) {
    case 401:
      return [401, 'Kratos knows no session for this browser. Log in first.'];
    case 403:
      return [
        403,
        'Kratos did not give this flow to this browser. Its cookies may not have come with the request: open Kratos, this page and the application under one host name.',
      ];
    case 404:
    case 410:
      return [410, 'This page has expired. Begin again.'];
    default:
      return [502, `Kratos answered with ${status}, and with nothing that can be shown.`];
  }
}

/** `/error?id=`: what Kratos has to say that is no form. */
async function errorPage(c: DevContext, kratos: Kratos): Promise<Response> {
  const asked = await kratos.ask(c, '/self-service/errors', { id: c.req.query('id') ?? '' });
  if (asked.kind === 'unavailable') return problem(c, kratos, 502, unavailable(asked.why));
  const found = member(asked.body, 'error');
  const faults = asked.status === 200 ? (Array.isArray(found) ? list(found) : [found]) : [];
  const reasons = faults.map((fault) => textMember(fault, 'reason') || textMember(fault, 'message')).filter(Boolean);
  return problem(c, kratos, 400, reasons.join(' ') || 'Kratos has no longer an error of that number.');
}

/** `/logout`: a link that a person clicks; Kratos's own needs a token, which only its API gives. */
async function logout(c: DevContext, kratos: Kratos): Promise<Response> {
  if (comesFromElsewhere(c)) return askToLogOut(c, note);
  const returnTo = c.req.query('return_to');
  const query: Record<string, string> = returnTo === undefined ? {} : { return_to: returnTo };
  const asked = await kratos.ask(c, '/self-service/logout/browser', query);
  if (asked.kind === 'unavailable') return problem(c, kratos, 502, unavailable(asked.why));
  const target = textMember(asked.body, 'logout_url');
  if (asked.status === 200 && isWeb(target)) return c.redirect(target, 303);
  if (asked.status === 401) return problem(c, kratos, 401, 'You are not logged in.');
  return problem(c, kratos, 400, textMember(member(asked.body, 'error'), 'reason') || 'Kratos refused to log out.');
}

function problem(
  c: DevContext,
  { browserUrl }: Kratos,
  status: PageStatus,
  text: string,
): Response | Promise<Response> {
  const main: Markup = html`<section class="narrow">
<h1>That did not work</h1>
<p class="alert" role="alert">${text}</p>
<nav><a class="button" href="${browserUrl}/self-service/login/browser">Log in</a></nav>
</section>`;
  return showPage(c, { title: 'That did not work', note, main }, status);
}
