// The page that stands where a login loop would go on: what is misconfigured, the likeliest first. No I/O.
import type { Config } from '../../config/config.ts';
import type { DenyReason } from '../reason.ts';
import type { HeaderPair } from './identity-headers.ts';

/** No script, nothing from elsewhere, in no frame. */
export const PAGE_HEADERS: readonly HeaderPair[] = [
  ['content-type', 'text/html; charset=utf-8'],
  ['cache-control', 'no-store'],
  ['content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
];

export interface LoginLoop {
  readonly reason: DenyReason;
  /** Where the browser would be sent once more. */
  readonly loginUrl: string;
  readonly requestId: string;
}

export function loginLoopPage({ reason, loginUrl, requestId }: LoginLoop, config: Config): string {
  const causes = causesOf(reason, config).map((cause) => `<li>${cause}</li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The login leads back here without a session</title>
<style>${CSS}</style>
</head>
<body>
<main>
<h1>The login leads back here without a session</h1>
<p>This browser was sent to the login several times within a minute, and came back without a session that is valid here. Going on would only turn in a circle.</p>
<p><a href="${escapeHtml(loginUrl)}">Try the login once more</a></p>
<h2>For whoever runs this site, the likeliest first</h2>
<ol>
${causes.join('\n')}
</ol>
<p class="soft">Reason <code>${reason}</code>, request <code>${escapeHtml(requestId)}</code>. The authorizer’s log has a line about it.</p>
</main>
</body>
</html>
`;
}

function causesOf(reason: DenyReason, { edge, sessions }: Config): string[] {
  const names = (sessions?.cookies ?? []).map(({ name, prefix }) => code(prefix ? `${name}*` : name)).join(' or ');
  const returns = `Ory Kratos does not send people back to the page that they came from: <code>selfservice.allowed_return_urls</code> (on Ory Network: “Allowed return URLs”) must hold ${code(edge.publicUrl)}.`;
  if (reason === 'aal_insufficient') {
    return [
      returns,
      'The second factor is asked for and cannot be given: <code>selfservice.methods.totp</code>, <code>webauthn</code> or <code>lookup_secret</code> is switched off.',
      'Login and whoami are two Kratos servers, or one of them has another <code>session.whoami.required_aal</code>.',
    ];
  }
  if (reason === 'credential_missing') {
    return [
      returns,
      `The session cookie is not sent to ${code(new URL(edge.publicUrl).host)}: it belongs to another host. Set <code>edge.ory_path</code>, or Kratos’s <code>cookies.domain</code>.`,
      `The session cookie has another name than ${names}: see <code>ory.session_cookies</code>.`,
      'The cookie is <code>Secure</code> and this page is served over plain http, or its <code>SameSite</code> keeps it back.',
    ];
  }
  return [
    returns,
    'The cookie arrives and Kratos does not know it: login and whoami are two servers or two projects (<code>ory.login_url</code>, <code>ory.kratos.public_url</code>), or Kratos’s <code>secrets.cookie</code> changed.',
    `An old cookie of the same name masks the new one: delete the cookies ${names} of this site once.`,
  ];
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const CSS = `:root { color-scheme: light dark }
body { margin: 0; background: light-dark(#f6f5f2, #14151a); color: light-dark(#1c1d22, #eceef4); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 44rem; margin: 0 auto; padding: clamp(1.5rem, 8vh, 5rem) 1rem }
h1 { font-size: 1.5rem; line-height: 1.25 } h2 { font-size: 1rem; margin-top: 2rem }
li { margin-bottom: .6rem } a { color: light-dark(#3d43c9, #a4adff); font-weight: 600 }
code { background: light-dark(#e9e7e0, #272a33); border-radius: 4px; padding: .1em .3em; font-size: .9em; overflow-wrap: anywhere }
.soft { color: light-dark(#5c5f6b, #a3a8b8); font-size: .9rem }`;
