// The frame of every page that the development Ory and the demo application show: light and dark, no outside assets.
import { html, raw } from 'hono/html';
import type { DevContext } from './answer.ts';

/** What `html` makes: text in it has been escaped. */
export type Markup = ReturnType<typeof html>;

export type PageStatus = 200 | 400 | 401 | 403 | 404 | 410 | 502;

interface Page {
  readonly title: string;
  readonly note: string;
  readonly main: Markup;
  /** Where its forms go, beside this machine: origins. */
  readonly formOrigins?: readonly string[];
}

/** Set on every answer of both servers. */
export const developmentHeader = ['X-Ory-Envoy-Development', 'not for production'] as const;

const formTargets = "'self' http://127.0.0.1:* https://127.0.0.1:* http://localhost:* https://localhost:*";

/** No script at all; a form may end up, by way of a redirect, on another port of this machine. */
function contentSecurityPolicy(formOrigins: readonly string[]): string {
  return [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    'img-src data:',
    `form-action ${[formTargets, ...formOrigins].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

export function showPage(c: DevContext, page: Page, status: PageStatus = 200): Response | Promise<Response> {
  c.header('Cache-Control', 'no-store');
  c.header('Content-Security-Policy', contentSecurityPolicy(page.formOrigins ?? []));
  c.header('Referrer-Policy', 'no-referrer');
  c.header('X-Content-Type-Options', 'nosniff');
  return c.html(render(page), status);
}

function render({ title, note, main }: Page): Markup {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${raw(css)}</style>
</head>
<body>
<p class="note" role="note">${note}</p>
<main>
${main}
</main>
</body>
</html>
`;
}

const css = `
:root { color-scheme: light dark;
  --ground: light-dark(#f6f5f2, #14151a); --card: light-dark(#fff, #1d1f26); --ink: light-dark(#1c1d22, #eceef4);
  --soft: light-dark(#5c5f6b, #a3a8b8); --line: light-dark(#dedcd5, #343844); --accent: light-dark(#3d43c9, #a4adff);
  --on-accent: light-dark(#fff, #14151a); --good: light-dark(#12703f, #6fd79b); --bad: light-dark(#a8201a, #ff9d96);
  --code: light-dark(#f1f0ec, #272a33); }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
.note { margin: 0; padding: .45rem 1rem; text-align: center; font-size: .85rem; color: var(--soft);
  border-bottom: 1px solid var(--line); }
main { max-width: 44rem; margin: 0 auto; padding: clamp(1.5rem, 6vh, 4rem) 1rem 3rem; display: grid; gap: 1.25rem; }
main:has(> .narrow) { max-width: 29rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.5rem; min-width: 0; }
h1 { margin: 0 0 .35rem; font-size: 1.6rem; line-height: 1.25; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1rem; }
p { margin: 0 0 .9rem; } p:last-child { margin-bottom: 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.alert { color: var(--bad); border: 1px solid currentColor; border-radius: 8px; padding: .55rem .75rem; }
label { display: block; font-weight: 600; font-size: .9rem; margin: .9rem 0 .3rem; }
input { width: 100%; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--soft);
  border-radius: 8px; padding: .55rem .7rem; }
button, a.button { display: inline-block; font: inherit; font-weight: 600; border-radius: 8px; padding: .55rem 1rem;
  border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); text-decoration: none; cursor: pointer; }
button.quiet, a.quiet { background: transparent; color: var(--accent); }
form > button:last-child { margin-top: 1.1rem; } .wide { width: 100%; }
a { color: var(--accent); } :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
code, pre { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { background: var(--code); border-radius: 5px; padding: .1em .35em; overflow-wrap: anywhere; }
pre { margin: 0; padding: .9rem 1rem; background: var(--code); border-radius: 8px; overflow-x: auto; }
ul.people { list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem; }
ul.people li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .75rem; align-items: center; }
ul.people button { margin: 0; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .5rem .4rem 0; border-top: 1px solid var(--line); }
tr:first-child > * { border-top: 0; }
ul.rules { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
ul.rules a { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .25rem .9rem;
  align-items: baseline; padding: .6rem .8rem; color: inherit;
  border: 1px solid var(--line); border-radius: 10px; text-decoration: none; }
ul.rules a:hover { border-color: var(--accent); } ul.rules strong { color: var(--accent); overflow-wrap: anywhere; }
ul.rules span { color: var(--soft); } ul.rules a[aria-current] { background: var(--code); }
.known { border-top: 3px solid var(--good); }
small { color: var(--soft); } .done { color: var(--good); } figure { margin: 0 0 .9rem; } figure img { border-radius: 8px;
  image-rendering: pixelated; max-width: 100%; height: auto; display: block; }
label.check { display: flex; gap: .6rem; align-items: center; } label.check input { width: auto; }
p.code { display: flex; gap: .9rem; align-items: center; } p.code button { margin: 0; } p.code code { font-size: 1.35rem; }
th { font-weight: 500; color: var(--soft); width: 13rem; overflow-wrap: anywhere; } td { overflow-wrap: anywhere; }
.narrow th { width: auto; padding-right: 1rem; white-space: nowrap; } table + *, pre + * { margin-top: .9rem; }
@media (max-width: 34rem) { ul.rules a { grid-template-columns: 1fr; } th, td { display: block; width: auto; }
  td { border-top: 0; padding-top: 0; } }
nav { display: flex; gap: .6rem; flex-wrap: wrap; margin-top: 1.1rem; }
`;
