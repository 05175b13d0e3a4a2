// The demo application behind the edge: it shows the request that reached it, and whom the edge says it is from. Network.
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { DevContext } from './answer.ts';
import { type Listening, listen } from './listen.ts';
import { developmentHeader, type Markup, showPage } from './page.ts';

export interface DemoAppOptions {
  /** Default: `127.0.0.1`. Only a loopback address is taken. */
  readonly host?: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly loginUrl: string;
  readonly logoutUrl: string;
  /** The names of the headers in which the edge says who it is. */
  readonly identityHeaders: readonly string[];
  /** Where the account's settings are, the second factor among them. */
  readonly settingsUrl?: string;
  /** One link for each rule of the policy. */
  readonly rules?: readonly DemoRule[];
}

export interface DemoRule {
  readonly name: string;
  /** Where a click tries the rule. */
  readonly href: string;
  /** What the rule asks, in plain words. */
  readonly note: string;
}

type Header = readonly [name: string, value: string];

/** @throws Node's own error where the port is in use (`EADDRINUSE`) */
export async function startDemoApp(options: DemoAppOptions): Promise<Listening> {
  return listen(options.host ?? '127.0.0.1', options.port, async () => {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.use(async (c, next) => {
      await next();
      c.header(...developmentHeader);
    });
    app.all('*', (c) => answer(c, options));
    return app;
  });
}

function answer(c: DevContext, options: DemoAppOptions): Response | Promise<Response> {
  const { method = 'GET', url: path = '/', httpVersion } = c.env.incoming;
  const headers = shownHeaders(c.env.incoming.rawHeaders);
  const identity = identityOf(c, options.identityHeaders);
  if (c.req.header('accept')?.includes('text/html')) {
    const main = page({ line: `${method} ${path} HTTP/${httpVersion}`, headers, identity, options });
    return showPage(c, { title: 'Demo application', note: 'Demo application of ory-envoy. Not for production.', main });
  }
  c.header('Cache-Control', 'no-store');
  return c.json({ method, path, headers: Object.fromEntries(merge(headers)), identity: Object.fromEntries(identity) });
}

/** As they came, in the configured spelling; those that are absent are left out. */
function identityOf(c: DevContext, names: readonly string[]): Header[] {
  return names.flatMap((name) => {
    const value = c.req.header(name);
    return value === undefined ? [] : [[name, value] as const];
  });
}

function shownHeaders(raw: readonly string[]): Header[] {
  const headers: Header[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    headers.push([name, masked(name, raw[i + 1] ?? '')]);
  }
  return headers;
}

function merge(headers: readonly Header[]): Map<string, string> {
  const merged = new Map<string, string>();
  for (const [name, value] of headers) {
    const before = merged.get(name);
    merged.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return merged;
}

const secretHeaders = new Set(['x-session-token', 'x-session-cookie', 'x-api-key', 'x-csrf-token']);

/** A credential stays readable as one, and its value does not: this page ends up in screenshots. */
function masked(name: string, value: string): string {
  if (name === 'cookie') return value.replaceAll(/=[^;]*/g, '=***');
  if (name === 'authorization' || name === 'proxy-authorization') {
    const space = value.indexOf(' ');
    return space < 0 ? '***' : `${value.slice(0, space)} ***`;
  }
  return secretHeaders.has(name) ? '***' : value;
}

interface Shown {
  readonly line: string;
  readonly headers: readonly Header[];
  readonly identity: readonly Header[];
  readonly options: DemoAppOptions;
}

function page({ line, headers, identity, options }: Shown): Markup {
  const { rules = [], settingsUrl, loginUrl, logoutUrl } = options;
  const known = identity.length > 0;
  const who = known
    ? html`<h1>Hello, <span class="good">${decoded(greeting(identity))}</span></h1>
<p class="soft">The edge let this request through and says whom it is from:</p>
<table>${identity.map(([name, value]) => row(name, decoded(value)))}</table>`
    : html`<h1>Hello, stranger</h1>
<p class="soft">The edge let this request through without an identity: this page is open to anyone.</p>`;
  const settings = known && settingsUrl !== undefined ? link(settingsUrl, 'Account settings', true) : '';
  return html`<section class="${known ? 'known' : ''}">
${who}
<nav>${known ? link(logoutUrl, 'Log out', true) : link(loginUrl, 'Log in', false)} ${settings}</nav>
</section>
${rules.length === 0 ? '' : ruleList(rules, line.split(' ')[1] ?? '')}
<section>
<h2>The request as it arrived</h2>
<pre tabindex="0">${line}</pre>
<table>${headers.map(([name, value]) => row(name, value))}</table>
</section>`;
}

function ruleList(rules: readonly DemoRule[], path: string): Markup {
  const entry = ({ name, href, note }: DemoRule) => {
    const here = href === path || (URL.canParse(href) && pathOf(href) === path);
    return html`<li><a href="${href}"${here ? html` aria-current="page"` : ''}><strong>${name}</strong> <span>${note}</span></a></li>`;
  };
  return html`<section>
<h2>Try the rules</h2>
<ul class="rules">${rules.map(entry)}</ul>
</section>`;
}

function pathOf(address: string): string {
  const { pathname, search } = new URL(address);
  return `${pathname}${search}`;
}

/** The most human of the identity headers: one with an address in it, else the first. */
function greeting(identity: readonly Header[]): string {
  const [first] = identity;
  return identity.find(([, value]) => decoded(value).includes('@'))?.[1] ?? first?.[1] ?? '';
}

function row(name: string, value: string): Markup {
  return html`<tr><th scope="row">${name}</th><td><code>${value}</code></td></tr>`;
}

function link(url: string, text: string, quiet: boolean): Markup {
  return html`<a class="button ${quiet ? 'quiet' : ''}" href="${url}">${text}</a>`;
}

/** The edge percent-encodes what is not plain ASCII. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
