// A verdict as an answer to Envoy's gRPC ext_authz: the bytes of a CheckResponse of envoy.service.auth.v3. No I/O.

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { CheckResponseSchema, type HeaderValueOptionSchema } from '../proto/ext_authz_pb.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { Verdict } from '../verdict.ts';
import { WIRE, wireIdentity } from '../wire.ts';
import { type Answer, createAnswerer } from './answer.ts';
import type { HeaderPair } from './identity-headers.ts';

export type WriteGrpc = (request: CheckRequest, verdict: Verdict) => Uint8Array;

export function createGrpcWriter(config: Config, log: Log, clock: Clock): WriteGrpc {
  const answerOf = createAnswerer(config, log, clock);
  return (request, verdict) => {
    const answer = answerOf(verdict, request);
    const message = create(CheckResponseSchema, {
      status: { code: codeOf(answer) },
      dynamicMetadata: {
        [WIRE.reason]: answer.reason,
        ...(answer.rule === undefined ? {} : { [WIRE.rule]: answer.rule }),
        ...(answer.kind === 'allow' ? remembered(answer) : {}),
      },
      httpResponse: answer.kind === 'allow' ? okResponse(answer) : deniedResponse(answer),
    });
    return toBinary(CheckResponseSchema, message);
  };
}

/** What the edge cache gets, in the same words as over HTTP. */
function remembered({ cacheForMs, set }: Answer & { kind: 'allow' }): Record<string, string> {
  if (cacheForMs === 0) return {};
  return {
    [WIRE.cacheFor]: String(cacheForMs),
    ...Object.fromEntries(set.map(([name, value]) => [wireIdentity(name), value])),
  };
}

type HttpResponse = NonNullable<MessageInitShape<typeof CheckResponseSchema>['httpResponse']>;

function okResponse({ set, remove, setCookie }: Answer & { kind: 'allow' }): HttpResponse {
  return {
    case: 'okResponse',
    value: {
      headers: set.map(overwriting),
      headersToRemove: [...remove],
      responseHeadersToAdd: setCookie.map((cookie) => appending(['set-cookie', cookie])),
    },
  };
}

/** An outage as well: over gRPC a denial may be a 5xx, and arrives whole. */
function deniedResponse({ denial }: Answer & { kind: 'deny' }): HttpResponse {
  return {
    case: 'deniedResponse',
    value: {
      status: { code: denial.status },
      headers: denial.headers.map((pair) => (pair[0] === 'set-cookie' ? appending(pair) : overwriting(pair))),
      body: denial.body,
    },
  };
}

type HeaderOption = MessageInitShape<typeof HeaderValueOptionSchema>;

/** OVERWRITE_IF_EXISTS_OR_ADD */
function overwriting([key, value]: HeaderPair): HeaderOption {
  return { header: { key, value }, appendAction: 2 };
}

/** APPEND_IF_EXISTS_OR_ADD */
function appending([key, value]: HeaderPair): HeaderOption {
  return { header: { key, value }, appendAction: 0 };
}

/** The gRPC status that says the same; to Envoy everything but OK is a no. */
const CODES: Readonly<Record<number, number>> = {
  400: 3, // INVALID_ARGUMENT
  403: 7, // PERMISSION_DENIED
  503: 14, // UNAVAILABLE
};
const OK = 0;
const UNAUTHENTICATED = 16;

function codeOf(answer: Answer): number {
  return answer.kind === 'allow' ? OK : (CODES[answer.denial.status] ?? UNAUTHENTICATED);
}
