// How a credential stands in a request. No I/O.
import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import type { HeaderLine } from './case.ts';
import type { CredentialEntry } from './schema.ts';

/** `cookie`: the value of the session cookie. */
export function presentSession(
  token: string,
  cookie: string,
  as: CredentialEntry['session_as'],
  config: Config,
): HeaderLine {
  switch (as) {
    case 'session_cookie':
      return ['cookie', `${cookieName(config)}=${cookie}`];
    case 'bearer':
      return ['authorization', `Bearer ${token}`];
    case 'session_token':
    case undefined:
      return ['x-session-token', token];
  }
}

export function presentToken(token: string): HeaderLine {
  return ['authorization', `Bearer ${token}`];
}

/** With the prefixes by which an edge tells them apart. */
export function someSessionToken(): string {
  return `ory_st_${randomBytes(24).toString('base64url')}`;
}

export function someOpaqueToken(): string {
  return `ory_at_${randomBytes(24).toString('base64url')}`;
}

/** The first that is tried; for a pattern, some name of it. */
function cookieName({ sessionCookies }: Config): string {
  const [first] = sessionCookies;
  if (!first) return 'ory_kratos_session';
  return first.prefix ? `${first.name}case` : first.name;
}

/** RFC 7519, section 6: `alg` is none, and the signature empty. */
export function unsigned(claims: object): string {
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}

/** The same token with a signature that is none of its key: it is as long, and one bit of it differs. */
export function withOtherSignature(token: string): string {
  const [head = '', body = '', signature = ''] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return `${head}.${body}.${bytes.toString('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
