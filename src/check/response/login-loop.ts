// The guard against a login that leads back without a session, over and over: a cookie counts how often a browser was
// sent to one URL, without any memory here. It decides what a person is shown, and nothing about access. No I/O.
import { hash } from 'node:crypto';
import { trimBlanks } from '../request/blanks.ts';
import type { CheckRequest } from '../request/check-request.ts';

/** So many times within the window a browser is sent to the login for one page; the next time it is told why not. */
const MAX_BOUNCES = 2;
const WINDOW_SECONDS = 60;
/** Several tabs are restored at once, and after the login comes the second factor: each way is counted by itself. */
const MAX_URLS = 4;
const ENTRY = /^([\w-]{8})\.([1-9])\.(\d{1,11})$/;

interface Bounces {
  /** Of the URL that a browser is sent to, its way back included. */
  readonly key: string;
  readonly count: number;
  readonly sinceSeconds: number;
}

export type Bounce =
  /** The cookie counts it. */
  | { readonly kind: 'send'; readonly setCookie: string }
  /** The cookie lets the count begin anew: whoever tries again is sent again. */
  | { readonly kind: 'loop'; readonly setCookie: string };

/** Counts one more redirect to `url`, which says where it leads back to. */
export function bounce(request: CheckRequest, url: string, publicUrl: string, nowMs: number): Bounce {
  const now = Math.floor(nowMs / 1_000);
  const key = hash('sha256', url, 'base64url').slice(0, 8);
  const known = readBounces(request, publicUrl).filter(
    ({ sinceSeconds }) => sinceSeconds <= now && now - sinceSeconds < WINDOW_SECONDS,
  );
  const others = known.filter((one) => one.key !== key);
  const before = known.find((one) => one.key === key);
  if (before && before.count >= MAX_BOUNCES) return { kind: 'loop', setCookie: cookie(others, publicUrl) };
  const counted = { key, count: (before?.count ?? 0) + 1, sinceSeconds: before?.sinceSeconds ?? now };
  return { kind: 'send', setCookie: cookie([counted, ...others].slice(0, MAX_URLS), publicUrl) };
}

/** The cookie that ends the counting once somebody has arrived; undefined where nothing was counted. */
export function arrived(request: CheckRequest, publicUrl: string): string | undefined {
  return readBounces(request, publicUrl).length > 0 ? cookie([], publicUrl) : undefined;
}

/** `__Host-` keeps a sibling domain from writing it (RFC 6265bis, section 4.1.3.2); it needs https. */
function cookieName(publicUrl: string): string {
  return publicUrl.startsWith('https:') ? '__Host-ory_envoy_login' : 'ory_envoy_login';
}

function readBounces(request: CheckRequest, publicUrl: string): Bounces[] {
  const name = `${cookieName(publicUrl)}=`;
  if (!request.cookie.some((line) => line.includes(name))) return [];
  // No more is taken for a blank: a browser takes the rest for a part of the name, and so lets a sibling domain write it.
  const pairs = request.cookie.flatMap((line) => line.split(';', 200)).map(trimBlanks);
  const found = new Set(pairs.filter((pair) => pair.startsWith(name)));
  // Of two cookies of this name one is somebody else's: neither counts.
  const [pair = ''] = found.size === 1 ? found : [];
  return pair
    .slice(name.length)
    .split('~', MAX_URLS)
    .flatMap((entry) => {
      const [, key = '', count = '', since = ''] = ENTRY.exec(entry) ?? [];
      return key === '' ? [] : [{ key, count: Number(count), sinceSeconds: Number(since) }];
    });
}

function cookie(bounces: readonly Bounces[], publicUrl: string): string {
  const value = bounces.map(({ key, count, sinceSeconds }) => `${key}.${count}.${sinceSeconds}`).join('~');
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  const age = bounces.length === 0 ? 0 : WINDOW_SECONDS;
  return `${cookieName(publicUrl)}=${value}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Lax${secure}`;
}
