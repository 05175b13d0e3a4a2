// What a rule is matched on: method, host and path in the one form in which they are compared. No I/O.
import { canonicalPath } from '../../config/path.ts';
import type { CheckRequest } from './check-request.ts';

export interface Target {
  readonly method: string;
  /** Lower case, without port and trailing dot. */
  readonly host: string;
  readonly path: string;
}

/** All that the generated Envoy lets through in headers, path and host among them: what it decides by itself has no bound beside. */
const MAX_BYTES = 61_440;

/**
 * Methods are case-sensitive (RFC 9110, section 9.1), and HTTP/2 carries any: `delete` is not DELETE to a rule, and is to
 * applications that fold it.
 */
const METHOD = /^[A-Z]+(?:-[A-Z]+)*$/;

/** Undefined where two readers could take the request for two different ones. */
export function normalise(request: CheckRequest): Target | undefined {
  if (request.host === undefined || request.path.length > MAX_BYTES || !METHOD.test(request.method)) return undefined;
  const host = canonicalHost(request.host);
  const path = canonicalPath(request.path);
  return host === undefined || path === undefined ? undefined : { method: request.method, host, path };
}

function canonicalHost(host: string): string | undefined {
  const name = withoutPort(host)?.toLowerCase();
  if (name === undefined) return undefined;
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '' || bare.length > MAX_BYTES) return undefined;
  return bare.startsWith('[') ? (isBracketed(bare) ? bare : undefined) : isName(bare) ? bare : undefined;
}

/**
 * What `match.host` can express, and nothing else: labels of letters, digits, `-` and `_`. Applications decode a `%` in a
 * host and fold the rest in ways of their own, and so would be reached past a rule for the host that they see.
 */
function isName(host: string): boolean {
  let labelStart = 0;
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code === 0x2e) {
      if (i === labelStart) return false;
      labelStart = i + 1;
    } else if (!isLetterOrDigit(code) && code !== 0x2d && code !== 0x5f) return false;
  }
  return labelStart < host.length;
}

function isLetterOrDigit(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
}

/** An IPv6 address in brackets, by its characters. */
function isBracketed(host: string): boolean {
  if (host.length < 3 || !host.endsWith(']')) return false;
  for (let i = 1; i < host.length - 1; i++) {
    const code = host.charCodeAt(i);
    const hex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (!hex && code !== 0x3a && code !== 0x2e) return false;
  }
  return true;
}

/** Undefined where what stands behind the host is not a port, or where a colon stands in it. */
function withoutPort(host: string): string | undefined {
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  if (end < 0 || end === host.length) return host;
  if (end === 0 || host.charCodeAt(end) !== 0x3a) return undefined;
  for (let i = end + 1; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return undefined;
  }
  return host.slice(0, end);
}
