// A verdict as an answer to Envoy's HTTP ext_authz. No I/O but the writing of the response.

import type { ServerResponse } from 'node:http';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HttpCheck } from '../request/http.ts';
import type { Verdict } from '../verdict.ts';
import { WIRE, wireIdentity } from '../wire.ts';
import { type Answer, type Changes, createAnswerer, onceForEach } from './answer.ts';

export type WriteHttp = (response: ServerResponse, check: HttpCheck, verdict: Verdict) => void;

export function createHttpWriter(config: Config, log: Log, clock: Clock): WriteHttp {
  const answerOf = createAnswerer(config, log, clock);
  const writtenOf = onceForEach(writeChanges);
  return (response, check, verdict) => {
    const answer = answerOf(verdict, check.request);
    const headers: string[] = [WIRE.reason, answer.reason];
    if (answer.rule !== undefined) headers.push(WIRE.rule, answer.rule);
    if (answer.kind === 'allow') writeAllow(response, answer, writtenOf(answer.changes), headers);
    else writeDenial(response, check, answer, headers);
  };
}

/** Header lines that all answers about one identity share: names and values in turn. */
interface Written {
  readonly changes: readonly string[];
  /** For an edge cache that remembers the identity. */
  readonly remembered: readonly string[];
}

function writeChanges({ set, remove }: Changes): Written {
  return {
    changes: [...set.flat(), ...(remove.length > 0 ? ['x-envoy-auth-headers-to-remove', remove.join()] : [])],
    remembered: set.flatMap(([name, value]) => [wireIdentity(name), value]),
  };
}

function writeAllow(
  response: ServerResponse,
  { setCookie, cacheForMs }: Answer & { kind: 'allow' },
  { changes, remembered }: Written,
  headers: string[],
): void {
  headers.push('content-length', '0', ...changes);
  for (const cookie of setCookie) headers.push('set-cookie', cookie);
  if (cacheForMs > 0) headers.push(WIRE.cacheFor, String(cacheForMs), ...remembered);
  response.writeHead(200, headers);
  response.end();
}

function writeDenial(
  response: ServerResponse,
  check: HttpCheck,
  { denial }: Answer & { kind: 'deny' },
  headers: string[],
): void {
  headers.push('content-length', String(Buffer.byteLength(denial.body)));
  for (const [name, value] of denial.headers) headers.push(name, value);
  // Envoy drops the body of its authorizer's 5xx: the generated one asks for the status beside the answer.
  const viaMetadata = denial.status === 503 && check.statusViaMetadata;
  if (viaMetadata) headers.push(WIRE.status, '503');
  response.writeHead(viaMetadata ? 403 : denial.status, headers);
  response.end(check.request.method === 'HEAD' ? undefined : denial.body);
}
