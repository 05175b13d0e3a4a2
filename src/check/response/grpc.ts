// A verdict as an answer to Envoy's gRPC ext_authz: the bytes of a CheckResponse of envoy.service.auth.v3. No I/O.
// Written by hand for speed, with the numbers of proto/ext_authz.proto; what stays the same is written once.

import type { Config } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { field, numberField } from '../proto/fields.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { Verdict } from '../verdict.ts';
import { WIRE, wireIdentity } from '../wire.ts';
import { type Answer, type Changes, createAnswerer, onceForEach } from './answer.ts';
import type { HeaderPair } from './identity-headers.ts';

export type WriteGrpc = (request: CheckRequest, verdict: Verdict) => Uint8Array;

const RESPONSE = { status: 1, deniedResponse: 2, okResponse: 3, dynamicMetadata: 4 };
const STATUS = { code: 1 };
const HTTP_STATUS = { code: 1 };
const OK_RESPONSE = { headers: 2, headersToRemove: 5, responseHeadersToAdd: 6 };
const DENIED_RESPONSE = { status: 1, headers: 2, body: 3 };
const HEADER_OPTION = { header: 1, appendAction: 3 };
const HEADER = { key: 1, value: 2 };
/** google.protobuf.Struct: a map of Values. */
const STRUCT = { fields: 1 };
const MAP_ENTRY = { key: 1, value: 2 };
const VALUE = { stringValue: 3 };

export function createGrpcWriter(config: Config, log: Log, clock: Clock): WriteGrpc {
  const answerOf = createAnswerer(config, log, clock);
  const whyOf = createWhy();
  const writtenOf = onceForEach(writeChanges);
  return (request, verdict) => {
    const answer = answerOf(verdict, request);
    const why = whyOf(answer);
    return answer.kind === 'allow' ? allowed(answer, writtenOf(answer.changes), why) : denied(answer, why);
  };
}

/** Fields of the metadata: reason and rule. There are few, and each is written once. */
function createWhy(): (answer: Answer) => Buffer {
  const written = new Map<string, Buffer>();
  return ({ reason, rule }) => {
    const key = `${reason} ${rule ?? ''}`;
    let why = written.get(key);
    if (!why) {
      why = Buffer.concat([metadata(WIRE.reason, reason), ...(rule === undefined ? [] : [metadata(WIRE.rule, rule)])]);
      written.set(key, why);
    }
    return why;
  };
}

/** What all answers about one identity share. */
interface Written {
  /** An answer up to its metadata, without a cookie. */
  readonly ok: Buffer;
  /** Of an OkHttpResponse. */
  readonly changes: Buffer;
  /** Fields of the metadata: the identity, for an edge cache that remembers it. */
  readonly remembered: Buffer;
}

const ALLOWED = field(RESPONSE.status);

function writeChanges({ set, remove }: Changes): Written {
  const changes = Buffer.concat([
    ...set.map((pair) => field(OK_RESPONSE.headers, overwriting(pair))),
    ...remove.map((name) => field(OK_RESPONSE.headersToRemove, name)),
  ]);
  return {
    ok: Buffer.concat([ALLOWED, field(RESPONSE.okResponse, changes)]),
    changes,
    remembered: Buffer.concat(set.map(([name, value]) => metadata(wireIdentity(name), value))),
  };
}

function allowed(answer: Answer & { kind: 'allow' }, { ok, changes, remembered }: Written, why: Buffer): Uint8Array {
  const { cacheForMs, setCookie } = answer;
  const cookies = setCookie.map((cookie) => field(OK_RESPONSE.responseHeadersToAdd, appending(['set-cookie', cookie])));
  const yes = cookies.length === 0 ? ok : Buffer.concat([ALLOWED, field(RESPONSE.okResponse, changes, ...cookies)]);
  return Buffer.concat([
    yes,
    cacheForMs === 0
      ? field(RESPONSE.dynamicMetadata, why)
      : field(RESPONSE.dynamicMetadata, why, metadata(WIRE.cacheFor, String(cacheForMs)), remembered),
  ]);
}

/** An outage as well: over gRPC a denial may be a 5xx, and arrives whole. */
function denied({ denial }: Answer & { kind: 'deny' }, why: Buffer): Uint8Array {
  const { status, headers, body } = denial;
  return Buffer.concat([
    field(RESPONSE.status, numberField(STATUS.code, CODES[status] ?? UNAUTHENTICATED)),
    field(
      RESPONSE.deniedResponse,
      field(DENIED_RESPONSE.status, numberField(HTTP_STATUS.code, status)),
      ...headers.map((pair) =>
        field(DENIED_RESPONSE.headers, pair[0] === 'set-cookie' ? appending(pair) : overwriting(pair)),
      ),
      ...(body === '' ? [] : [field(DENIED_RESPONSE.body, body)]),
    ),
    field(RESPONSE.dynamicMetadata, why),
  ]);
}

function metadata(key: string, value: string): Buffer {
  return field(STRUCT.fields, field(MAP_ENTRY.key, key), field(MAP_ENTRY.value, field(VALUE.stringValue, value)));
}

/** OVERWRITE_IF_EXISTS_OR_ADD */
function overwriting(pair: HeaderPair): Buffer {
  return Buffer.concat([appending(pair), numberField(HEADER_OPTION.appendAction, 2)]);
}

/** APPEND_IF_EXISTS_OR_ADD, which is 0 and so not written. */
function appending([key, value]: HeaderPair): Buffer {
  return field(HEADER_OPTION.header, field(HEADER.key, key), field(HEADER.value, value));
}

/** The gRPC status that says the same; to Envoy everything but OK is a no. */
const CODES: Readonly<Record<number, number>> = {
  400: 3, // INVALID_ARGUMENT
  403: 7, // PERMISSION_DENIED
  503: 14, // UNAVAILABLE
};
const UNAUTHENTICATED = 16;
