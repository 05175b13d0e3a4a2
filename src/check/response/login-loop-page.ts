// The page that stands where a login loop would go on: what is misconfigured, the likeliest first. No I/O.
import type { Config, Rule } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
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
  readonly rule: Rule | undefined;
  /** Where the browser would be sent once more. */
  readonly loginUrl: string;
  readonly requestId: string;
}

export function loginLoopPage(loop: LoginLoop, config: Config): string {
  const { title, story, again } = words(loop, config);
  const causes = causesOf(loop, config).map((cause) => `<li>${cause}</li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${CSS}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${story} Going on would only turn in a circle.</p>
<p><a href="${escapeHtml(loop.loginUrl)}">${again}</a></p>
<h2>For whoever runs this site, the likeliest first</h2>
<ol>
${causes.join('\n')}
</ol>
<p class="soft">Reason <code>${loop.reason}</code>, request <code>${escapeHtml(loop.requestId)}</code>. The authorizer’s log has a line about it.</p>
</main>
</body>
</html>
`;
}

interface Words {
  readonly title: string;
  /** For the person in front of it. */
  readonly story: string;
  readonly again: string;
}

function words({ reason, rule }: LoginLoop, { sessions }: Config): Words {
  switch (reason) {
    case 'aal_insufficient': {
      const settings = sessions?.loginFlowUrl.replace('/self-service/login/', '/self-service/settings/') ?? '';
      return {
        title: 'This page wants a second factor',
        story: `This browser was sent to give a second factor several times within a minute, and came back without it. If your account has none yet, <a href="${escapeHtml(settings)}">set one up in its settings</a> first.`,
        again: 'Give the second factor',
      };
    }
    case 'session_too_old':
      return {
        title: 'This page wants a more recent login',
        story: `This browser was sent to log in anew several times within a minute, and each time came back with a login that is older than this page takes${maxAgeText(rule)}. You are still logged in.`,
        again: 'Log in anew',
      };
    default:
      return {
        title: 'The login leads back here without a session',
        story:
          'This browser was sent to the login several times within a minute, and came back without a session that is valid here.',
        again: 'Try the login once more',
      };
  }
}

function maxAgeText(rule: Rule | undefined): string {
  const bounds = rule?.access.kind === 'require' ? rule.access.anyOf : [];
  const ages = bounds.flatMap((one) => (one.kind === 'session' && one.maxAgeMs !== undefined ? [one.maxAgeMs] : []));
  return ages.length === 0 ? '' : ` (${formatDuration(Math.max(...ages))})`;
}

function causesOf({ reason, rule }: LoginLoop, { edge, sessionCookies }: Config): string[] {
  const names = sessionCookies.map(({ name, prefix }) => code(prefix ? `${name}*` : name)).join(' or ');
  const returns = `Ory Kratos does not send people back to the page that they came from: <code>selfservice.allowed_return_urls</code> (on Ory Network: “Allowed return URLs”) must hold ${code(edge.publicUrl)}.`;
  if (reason === 'aal_insufficient') {
    return [
      'The account has no second factor: Kratos then shows an empty form.',
      'The second factor is asked for and cannot be given: <code>selfservice.methods.totp</code>, <code>webauthn</code> or <code>lookup_secret</code> is switched off.',
      returns,
      'Login and whoami are two Kratos servers.',
    ];
  }
  if (reason === 'session_too_old') {
    return [
      `The <code>max_age</code>${maxAgeText(rule)} of rule ${code(rule?.name ?? '')} is shorter than the way back from the login takes.`,
      'The clocks of Kratos and of the authorizer differ: one writes <code>authenticated_at</code>, the other compares it.',
      'The login page does not begin the flow that it is asked for: <code>refresh=true</code> has to reach Kratos.',
      returns,
      'Login and whoami are two Kratos servers.',
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
