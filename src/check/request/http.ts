// The check as Envoy's HTTP ext_authz sends it: the original method, path, query and Host. No I/O.

import type { IncomingMessage } from 'node:http';
import { WIRE } from '../wire.ts';
import type { CheckRequest } from './check-request.ts';

export interface HttpCheck {
  readonly request: CheckRequest;
  /** Whether the generated Envoy asked for `ory-status`. */
  readonly statusViaMetadata: boolean;
  /** The policy that the route belongs to; undefined from an Envoy that does not say. */
  readonly policy: string | undefined;
}

/** Reads the raw header lines: Node's own `headers` hides duplicates, and a hidden duplicate is a second reading. */
export function readHttpCheck(message: IncomingMessage): HttpCheck {
  const one: Record<string, string | undefined> = Object.create(null);
  const authorization: string[] = [];
  const sessionToken: string[] = [];
  const cookie: string[] = [];
  const hosts: string[] = [];
  const raw = message.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    switch (name) {
      case 'authorization':
        authorization.push(value);
        break;
      case 'x-session-token':
        sessionToken.push(value);
        break;
      case 'cookie':
        cookie.push(value);
        break;
      case 'host':
        hosts.push(value);
        break;
      case 'origin':
      case 'access-control-request-method':
      case 'accept':
      case 'x-requested-with':
      case 'sec-fetch-mode':
      case 'sec-fetch-dest':
      case 'x-request-id':
      case WIRE.statusVia:
      case WIRE.policy:
        one[name] = value;
        break;
      default:
    }
  }
  const url = message.url ?? '';
  const question = url.indexOf('?');
  return {
    statusViaMetadata: one[WIRE.statusVia] === 'metadata',
    policy: one[WIRE.policy],
    request: {
      method: message.method ?? '',
      host: hosts.length === 1 ? hosts[0] : undefined,
      path: question < 0 ? url : url.slice(0, question),
      query: question < 0 ? '' : url.slice(question),
      authorization,
      sessionToken,
      cookie,
      preflight:
        message.method === 'OPTIONS' &&
        one['origin'] !== undefined &&
        one['access-control-request-method'] !== undefined,
      origin: one['origin'],
      accept: one['accept'],
      requestedWith: one['x-requested-with'],
      secFetchMode: one['sec-fetch-mode'],
      secFetchDest: one['sec-fetch-dest'],
      requestId: one['x-request-id'],
    },
  };
}
