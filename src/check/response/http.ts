// A verdict as an answer to Envoy's HTTP ext_authz. No I/O but the writing of the response.

import type { ServerResponse } from 'node:http';
import type { Config, IdentityHeader } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { HttpCheck } from '../request/http.ts';
import { type Allow, deny, type Verdict } from '../verdict.ts';
import { WIRE } from '../wire.ts';
import { type Denial, denialOf } from './denial.ts';
import { type HeaderPair, identityHeaders } from './identity-headers.ts';
import { setCookies } from './set-cookie.ts';

export type WriteHttp = (response: ServerResponse, check: HttpCheck, verdict: Verdict) => void;

/** Writes verdicts. A yes that cannot be written becomes a denial, and a line in the log. */
export function createHttpWriter(config: Config, log: Log, clock: Clock): WriteHttp {
  const removals = new Removals(config.identityHeaders);
  return (response, check, verdict) => {
    if (verdict.kind === 'allow') {
      try {
        response.writeHead(200, allowHeaders(verdict, check.request, config, removals));
      } catch (error) {
        // The messages of identityHeaders name a header, never a value; Node's quote nothing but names.
        const cause = error instanceof Error ? error.message : typeof error;
        log.error({ rule: verdict.rule.name, cause }, 'a yes could not be written: the request is denied');
        writeDenial(
          response,
          check,
          denialOf(deny('internal_error', verdict.rule), check.request, config, clock()),
          'internal_error',
          verdict.rule.name,
        );
        return;
      }
      response.end();
      return;
    }
    const denial = denialOf(verdict, check.request, config, clock());
    if (denial.loginLoop)
      log.warn({ rule: verdict.rule?.name, reason: verdict.reason }, 'the login leads back without a session');
    writeDenial(response, check, denial, verdict.reason, verdict.rule?.name);
  };
}

function allowHeaders(verdict: Allow, request: CheckRequest, config: Config, removals: Removals): string[] {
  const pairs: readonly HeaderPair[] = verdict.identity
    ? identityHeaders(verdict.identity, config.identityHeaders)
    : [];
  const headers = ['content-length', '0', WIRE.reason, verdict.reason, WIRE.rule, verdict.rule.name];
  for (const [name, value] of pairs) headers.push(name, value);
  const remove = removals.without(pairs);
  if (remove !== '') headers.push('x-envoy-auth-headers-to-remove', remove);
  for (const cookie of setCookies(verdict, request, config)) headers.push('set-cookie', cookie);
  return headers;
}

function writeDenial(
  response: ServerResponse,
  check: HttpCheck,
  denial: Denial,
  reason: string,
  rule: string | undefined,
): void {
  const headers = ['content-length', String(Buffer.byteLength(denial.body)), WIRE.reason, reason];
  if (rule !== undefined) headers.push(WIRE.rule, rule);
  for (const [name, value] of denial.headers) headers.push(name, value);
  // Envoy drops the body of its authorizer's 5xx: the generated one asks for the status beside the answer.
  const viaMetadata = denial.status === 503 && check.statusViaMetadata;
  if (viaMetadata) headers.push(WIRE.status, '503');
  response.writeHead(viaMetadata ? 403 : denial.status, headers);
  response.end(check.request.method === 'HEAD' ? undefined : denial.body);
}

/** Identity headers that this verdict does not set are removed, in the spellings that applications take for the same name. */
class Removals {
  readonly #spellings: readonly { readonly name: string; readonly others: readonly string[] }[];
  readonly #texts = new Map<string, string>();

  constructor(headers: readonly IdentityHeader[]) {
    this.#spellings = headers.map((header) => {
      const name = header.name.toLowerCase();
      return { name, others: spellings(name).filter((one) => one !== name) };
    });
  }

  without(set: readonly HeaderPair[]): string {
    const key = set.map(([name]) => name).join();
    let text = this.#texts.get(key);
    if (text === undefined) {
      const names = new Set(set.map(([name]) => name));
      text = this.#spellings.flatMap(({ name, others }) => (names.has(name) ? others : [name, ...others])).join(',');
      this.#texts.set(key, text);
    }
    return text;
  }
}

const SEPARATORS = ['-', '_', '.'];

/** A power of three: the schema bounds the separators of a name. */
function spellings(name: string): string[] {
  const words = name.split(/[-_]/);
  let found = [words[0] ?? ''];
  for (const word of words.slice(1))
    found = found.flatMap((begin) => SEPARATORS.map((separator) => `${begin}${separator}${word}`));
  return found;
}
