// A verdict as an answer to Envoy's HTTP ext_authz. No I/O but the writing of the response.

import type { ServerResponse } from 'node:http';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HttpCheck } from '../request/http.ts';
import type { Verdict } from '../verdict.ts';
import { WIRE, wireIdentity } from '../wire.ts';
import { type Answer, createAnswerer } from './answer.ts';

export type WriteHttp = (response: ServerResponse, check: HttpCheck, verdict: Verdict) => void;

export function createHttpWriter(config: Config, log: Log, clock: Clock): WriteHttp {
  const answerOf = createAnswerer(config, log, clock);
  return (response, check, verdict) => {
    const answer = answerOf(verdict, check.request);
    const headers: string[] = [WIRE.reason, answer.reason];
    if (answer.rule !== undefined) headers.push(WIRE.rule, answer.rule);
    if (answer.kind === 'allow') writeAllow(response, answer, headers);
    else writeDenial(response, check, answer, headers);
  };
}

function writeAllow(response: ServerResponse, answer: Answer & { kind: 'allow' }, headers: string[]): void {
  headers.push('content-length', '0');
  for (const [name, value] of answer.set) headers.push(name, value);
  if (answer.remove.length > 0) headers.push('x-envoy-auth-headers-to-remove', answer.remove.join());
  for (const cookie of answer.setCookie) headers.push('set-cookie', cookie);
  if (answer.cacheForMs > 0) {
    headers.push(WIRE.cacheFor, String(answer.cacheForMs));
    for (const [name, value] of answer.set) headers.push(wireIdentity(name), value);
  }
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
