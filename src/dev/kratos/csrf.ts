// Protection of forms against other pages: a secret in a cookie, and the same secret masked in the form. No I/O.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setCookie } from 'hono/cookie';
import { cookieValues, type DevContext } from '../answer.ts';
import type { State } from '../state.ts';

const secretBytes = 32;
const yearSeconds = 365 * 24 * 60 * 60;

type CsrfState = Pick<State, 'csrfCookie' | 'cookieDomain'>;

/** Two development Orys on one host share its cookies, so each has a name of its own. */
export function csrfCookieName(ownUrl: string): string {
  return `csrf_token_${createHash('sha256').update(ownUrl).digest('hex')}`;
}

/** A token for a form, of the secret that the browser already has, else of a new one, which the answer sets. */
export function csrfTokenFor(c: DevContext, state: CsrfState): string {
  return csrfToken(presentedSecret(c, state.csrfCookie) ?? renewCsrf(c, state));
}

/** Whose flow it is: a digest of the secret in a token that was just made. */
export function csrfOwner(token: string): string {
  const bytes = Buffer.from(token, 'base64');
  return digest(xor(bytes.subarray(0, secretBytes), bytes.subarray(secretBytes)));
}

export function belongsToBrowser(c: DevContext, { csrfCookie }: CsrfState, owner: string | undefined): boolean {
  const secret = presentedSecret(c, csrfCookie);
  return secret !== undefined && digest(secret) === owner;
}

/** A new secret after a login or logout, so that one learnt before is worth nothing. */
export function renewCsrf(c: DevContext, { csrfCookie, cookieDomain }: CsrfState): Buffer {
  const secret = randomBytes(secretBytes);
  const options = { path: '/', maxAge: yearSeconds, httpOnly: true, sameSite: 'Lax' } as const;
  const domain = cookieDomain === undefined ? {} : { domain: cookieDomain };
  setCookie(c, csrfCookie, secret.toString('base64url'), { ...options, ...domain });
  return secret;
}

export function csrfMatches(c: DevContext, { csrfCookie }: CsrfState, token: string): boolean {
  const secret = presentedSecret(c, csrfCookie);
  const bytes = Buffer.from(token, 'base64');
  if (secret === undefined || bytes.length !== 2 * secretBytes) return false;
  return timingSafeEqual(xor(bytes.subarray(0, secretBytes), bytes.subarray(secretBytes)), secret);
}

/** Different in every answer, so that compression of one page reveals nothing. */
function csrfToken(secret: Buffer): string {
  const mask = randomBytes(secretBytes);
  return Buffer.concat([mask, xor(mask, secret)]).toString('base64');
}

function digest(secret: Buffer): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function presentedSecret(c: DevContext, cookieName: string): Buffer | undefined {
  const secret = Buffer.from(cookieValues(c, cookieName)[0] ?? '', 'base64url');
  return secret.length === secretBytes ? secret : undefined;
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)));
}
