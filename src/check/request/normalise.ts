// What a rule is matched on: method, host and path in the one form in which they are compared. No I/O.
import { canonicalPath } from '../../config/path.ts';
import type { CheckRequest } from './check-request.ts';

export interface Target {
  readonly method: string;
  /** Lower case, without port and trailing dot. */
  readonly host: string;
  readonly path: string;
}

/** Longer paths are refused. */
const MAX_PATH_BYTES = 16_384;

/** Undefined where two readers could take the request for two different ones. */
export function normalise(request: CheckRequest): Target | undefined {
  if (request.host === undefined || request.path.length > MAX_PATH_BYTES) return undefined;
  const host = canonicalHost(request.host);
  const path = canonicalPath(request.path);
  return host === undefined || path === undefined ? undefined : { method: request.method, host, path };
}

function canonicalHost(host: string): string | undefined {
  const name = withoutPort(host)?.toLowerCase();
  if (name === undefined) return undefined;
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '' || bare.length > 255) return undefined;
  for (let i = 0; i < bare.length; i++) {
    const code = bare.charCodeAt(i);
    // Whatever cannot stand in a host, a comma of joined lines or an "@" above all, has no one reading.
    if (code <= 0x20 || code >= 0x7f || code === 0x2c || code === 0x40 || code === 0x2f || code === 0x5c)
      return undefined;
  }
  return bare;
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
