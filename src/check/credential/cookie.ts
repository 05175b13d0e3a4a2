// The session cookie among a client's cookies (RFC 6265, section 5.4, read strictly). No I/O.

import type { CookieName } from '../../config/config.ts';
import { isBlank } from '../request/blanks.ts';
import { ABSENT, AMBIGUOUS, type Extraction, MALFORMED } from './credential.ts';

const MAX_COOKIE_BYTES = 16_384;

/** The first configured name that is present counts; two different cookies under one name or pattern are ambiguous. */
export function sessionCookie(lines: readonly string[], names: readonly CookieName[]): Extraction {
  if (lines.length === 0) return ABSENT;
  for (const name of names) {
    const found = matching(lines, name);
    if (found === undefined) continue;
    if (found === AMBIGUOUS || holdsJoinedLine(found as string, names)) return AMBIGUOUS;
    return checked(found as string);
  }
  return ABSENT;
}

/** Two Cookie lines arrive joined with a comma, which no cookie's value holds: a second session cookie behind one. */
function holdsJoinedLine(pair: string, names: readonly CookieName[]): boolean {
  if (!pair.includes(',')) return false;
  const later = pair.split(',').slice(1);
  return later.some((part) => names.some(({ name }) => part.trimStart().startsWith(name)));
}

/** `name=value` of the one cookie that has this name, undefined without one. Empty values are absent. */
function matching(lines: readonly string[], wanted: CookieName): string | undefined | typeof AMBIGUOUS {
  let found: string | undefined;
  for (const line of lines) {
    let from = 0;
    while (from < line.length) {
      const semicolon = line.indexOf(';', from);
      const to = semicolon < 0 ? line.length : semicolon;
      const pair = pairIn(line, from, to, wanted);
      if (pair !== undefined && found !== undefined && pair !== found) return AMBIGUOUS;
      found ??= pair;
      from = to + 1;
    }
  }
  return found;
}

function pairIn(line: string, from: number, to: number, wanted: CookieName): string | undefined {
  let start = from;
  while (start < to && isBlank(line.charCodeAt(start))) start++;
  if (!line.startsWith(wanted.name, start)) return undefined;
  // Within the pair alone: a search to the line's end, once for each pair, would be quadratic.
  const equals = start + line.slice(start, to).indexOf('=');
  if (equals < start) return undefined;
  if (!wanted.prefix && equals !== start + wanted.name.length) return undefined;
  let end = to;
  while (end > equals && isBlank(line.charCodeAt(end - 1))) end--;
  return end === equals + 1 ? undefined : line.slice(start, end);
}

function checked(pair: string): Extraction {
  const equals = pair.indexOf('=');
  if (pair.length > MAX_COOKIE_BYTES || !isCookieName(pair, equals)) return MALFORMED;
  for (let i = equals + 1; i < pair.length; i++) {
    if (!isCookieOctet(pair.charCodeAt(i))) return MALFORMED;
  }
  return { kind: 'found', credential: { kind: 'session_cookie', value: pair } };
}

function isCookieName(pair: string, equals: number): boolean {
  for (let i = 0; i < equals; i++) {
    const code = pair.charCodeAt(i);
    const plain =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x5f ||
      code === 0x2d;
    if (!plain) return false;
  }
  return true;
}

/** Without `"`, `,`, `;`, `\`: a value that holds one of them is read differently by different servers. */
function isCookieOctet(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== 0x22 && code !== 0x2c && code !== 0x3b && code !== 0x5c;
}
