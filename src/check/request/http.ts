// The check as Envoy's HTTP ext_authz sends it: the original method, path, query and Host. No I/O.

import type { IncomingMessage } from 'node:http';
import { WIRE } from '../wire.ts';
import type { CheckRequest } from './check-request.ts';
import { HeaderLines } from './header-lines.ts';

export interface HttpCheck {
  readonly request: CheckRequest;
  /** Whether the generated Envoy asked for `ory-status`. */
  readonly statusViaMetadata: boolean;
  /** A check has none. */
  readonly hasBody: boolean;
}

/** Reads the raw header lines: Node's own `headers` hides duplicates, and a hidden duplicate is a second reading. */
export function readHttpCheck(message: IncomingMessage): HttpCheck {
  const lines = new HeaderLines();
  const hosts: string[] = [];
  let statusVia: string | undefined;
  let hasBody = false;
  const raw = message.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    if (name === 'host') hosts.push(value);
    else if (name === WIRE.statusVia) statusVia = value;
    else if (name === 'transfer-encoding' || (name === 'content-length' && value !== '0')) hasBody = true;
    else lines.add(name, value);
  }
  return {
    statusViaMetadata: statusVia === 'metadata',
    hasBody,
    request: lines.toRequest(message.method ?? '', hosts.length === 1 ? hosts[0] : undefined, message.url ?? ''),
  };
}
