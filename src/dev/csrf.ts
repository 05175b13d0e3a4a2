// Protection of the login form against other pages: a secret in a cookie, and the same secret masked in the form. No I/O.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setCookie } from 'hono/cookie';
import { cookieValues, type DevContext } from './answer.ts';

const secretBytes = 32;
const yearSeconds = 365 * 24 * 60 * 60;

/** Two development Orys on one host share its cookies, so each has a name of its own. */
export function csrfCookieName(baseUrl: string): string {
  return `csrf_token_${createHash('sha256').update(baseUrl).digest('hex')}`;
}

/** The secret that the browser already has, else a new one, which the answer sets. */
export function csrfSecret(c: DevContext, cookieName: string): Buffer {
  return presentedSecret(c, cookieName) ?? renewCsrf(c, cookieName);
}

/** A new secret after a login or logout, so that one learnt before is worth nothing. */
export function renewCsrf(c: DevContext, cookieName: string): Buffer {
  const secret = randomBytes(secretBytes);
  const options = { path: '/', maxAge: yearSeconds, httpOnly: true, sameSite: 'Lax' } as const;
  setCookie(c, cookieName, secret.toString('base64url'), options);
  return secret;
}

/** Different in every answer, so that compression of one page reveals nothing. */
export function csrfToken(secret: Buffer): string {
  const mask = randomBytes(secretBytes);
  return Buffer.concat([mask, xor(mask, secret)]).toString('base64');
}

export function csrfMatches(c: DevContext, cookieName: string, token: string): boolean {
  const secret = presentedSecret(c, cookieName);
  const bytes = Buffer.from(token, 'base64');
  if (secret === undefined || bytes.length !== 2 * secretBytes) return false;
  return timingSafeEqual(xor(bytes.subarray(0, secretBytes), bytes.subarray(secretBytes)), secret);
}

function presentedSecret(c: DevContext, cookieName: string): Buffer | undefined {
  const secret = Buffer.from(cookieValues(c, cookieName)[0] ?? '', 'base64url');
  return secret.length === secretBytes ? secret : undefined;
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)));
}
