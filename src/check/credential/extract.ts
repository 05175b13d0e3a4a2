// Which credential counts for a requirement: exactly one, or none. Kratos's own precedence for sessions. No I/O.
import type { CookieName, Requirement } from '../../config/config.ts';
import { MAX_JWS_BYTES } from '../identity/jws.ts';
import { trimBlanks } from '../request/blanks.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { sessionCookie } from './cookie.ts';
import { ABSENT, AMBIGUOUS, type Extraction, MALFORMED } from './credential.ts';

/** A credential longer than this is malformed: it is not parsed, hashed or sent. */
const MAX_SESSION_TOKEN_BYTES = 16_384;

const SESSION_TOKEN_PREFIX = 'ory_st_';

/** How a rule reads a bearer: `both` where its alternatives take sessions and tokens. */
export type BearerReading = 'session' | 'token' | 'both';

export function bearerReading(anyOf: readonly Requirement[]): BearerReading {
  const sessions = anyOf.some((one) => one.kind === 'session');
  const tokens = anyOf.some((one) => one.kind === 'token');
  return sessions && tokens ? 'both' : sessions ? 'session' : 'token';
}

/** The credential that `kind` asks for. Places that this kind does not read are left alone. */
export function extract(
  request: CheckRequest,
  kind: Requirement['kind'],
  reading: BearerReading,
  cookies: readonly CookieName[],
): Extraction {
  return kind === 'session' ? sessionCredential(request, reading, cookies) : accessToken(request);
}

function sessionCredential(request: CheckRequest, reading: BearerReading, cookies: readonly CookieName[]): Extraction {
  const header = single(request.sessionToken);
  if (header.kind === 'ambiguous') return AMBIGUOUS;
  if (header.kind === 'found') return checked('session_token', header.value);
  const cookie = sessionCookie(request.cookie, cookies);
  if (cookie.kind !== 'absent') return cookie;
  const bearer = bearerToken(request.authorization);
  if (bearer.kind !== 'found') return bearer.kind === 'ambiguous' ? AMBIGUOUS : ABSENT;
  if (reading === 'both' && !bearer.value.startsWith(SESSION_TOKEN_PREFIX)) return ABSENT;
  return checked('session_token', bearer.value);
}

function accessToken(request: CheckRequest): Extraction {
  const bearer = bearerToken(request.authorization);
  if (bearer.kind !== 'found') return bearer.kind === 'ambiguous' ? AMBIGUOUS : ABSENT;
  return bearer.value.startsWith(SESSION_TOKEN_PREFIX) ? ABSENT : checked('access_token', bearer.value);
}

type Single =
  | { readonly kind: 'absent' }
  | { readonly kind: 'ambiguous' }
  | { readonly kind: 'found'; readonly value: string };

/** The one value of a header; lines that a proxy joined with a comma are taken apart again. Empty values are absent. */
function single(lines: readonly string[]): Single {
  let found: string | undefined;
  for (const line of lines) {
    for (const part of line.includes(',') ? line.split(',') : [line]) {
      const value = trimBlanks(part);
      if (value === '') continue;
      if (found !== undefined && found !== value) return { kind: 'ambiguous' };
      found = value;
    }
  }
  return found === undefined ? { kind: 'absent' } : { kind: 'found', value: found };
}

/** The bearer of the Authorization header; another scheme is not a credential of ours. */
function bearerToken(lines: readonly string[]): Single {
  const [line] = lines;
  if (line === undefined) return { kind: 'absent' };
  if (lines.length === 1 && !line.includes(',')) return schemeBearer(line);
  const parts = lines.flatMap((one) => one.split(',')).map(trimBlanks);
  if (!parts.some(isBearer)) return { kind: 'absent' };
  const distinct = new Set(parts.filter((part) => part !== ''));
  return distinct.size === 1 ? schemeBearer([...distinct][0] ?? '') : { kind: 'ambiguous' };
}

function isBearer(value: string): boolean {
  return (
    value.length >= 6 &&
    value.slice(0, 6).toLowerCase() === 'bearer' &&
    (value.length === 6 || value.charCodeAt(6) === 0x20)
  );
}

function schemeBearer(value: string): Single {
  if (!isBearer(value)) return { kind: 'absent' };
  const token = trimBlanks(value.slice(7));
  return token === '' ? { kind: 'absent' } : { kind: 'found', value: token };
}

function checked(kind: 'session_token' | 'access_token', value: string): Extraction {
  const maxBytes = kind === 'session_token' ? MAX_SESSION_TOKEN_BYTES : MAX_JWS_BYTES;
  return value.length <= maxBytes && isToken68(value) ? { kind: 'found', credential: { kind, value } } : MALFORMED;
}

/** RFC 9110's token68: what a bearer or a session token is made of. */
function isToken68(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const plain =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x2d && code <= 0x39) ||
      code === 0x5f ||
      code === 0x7e ||
      code === 0x2b ||
      code === 0x3d;
    if (!plain) return false;
  }
  return true;
}
