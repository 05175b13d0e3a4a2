// The edge's own answers: problem bodies, and how an outage keeps its status, body and Retry-After. No I/O.
import { DENIALS } from '../../check/reason.ts';
import { WIRE } from '../../check/wire.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { quote } from './path-matchers.ts';
import type { Transport } from './transport.ts';

/** Reasons that Envoy gives by itself. */
export type EdgeReason = 'path_ambiguous' | 'no_rule' | 'credential_missing' | 'authorizer_unreachable';

export const PROBLEMS = {
  path_ambiguous: DENIALS.path_ambiguous,
  no_rule: DENIALS.no_rule,
  credential_missing: DENIALS.credential_missing,
  authorizer_unreachable: { status: 503, title: 'The authorizer cannot be reached' },
} as const satisfies Record<EdgeReason, { status: number; title: string }>;

export function problemBody(reason: EdgeReason): Block {
  const { status, title } = PROBLEMS[reason];
  return {
    json_format: { type: `urn:ory-envoy:reason:${reason}`, title, status, reason, request_id: '%REQ(X-REQUEST-ID)%' },
    content_type: 'application/problem+json',
  };
}

/** Fields of a route that answers by itself. */
export function directProblem(reason: EdgeReason): Block {
  return {
    direct_response: { status: PROBLEMS[reason].status, body_format: problemBody(reason) },
    response_headers_to_add: [setHeader('cache-control', 'no-store')],
  };
}

export function setHeader(key: string, value: string): Block {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

/** @param transport undefined where the authorizer is another's */
export function localReplyConfig(
  transport: Transport | undefined,
  { authorizer, corsOrigins }: Plan,
  publicUrl: string,
): Block {
  return {
    mappers: [
      ...(authorizer ? fromTheAuthorizer(transport, corsOrigins) : fromEnvoyAlone(corsOrigins, publicUrl)),
      {
        [COMMENT]: 'Errors of Envoy’s own are in no cache.',
        filter: statusFilter('GE', 400),
        headers_to_add: [NO_STORE],
      },
    ],
  };
}

export const NO_STORE: Block = { header: { key: 'cache-control', value: 'no-store' }, append_action: 'ADD_IF_ABSENT' };

function fromTheAuthorizer(transport: Transport | undefined, corsOrigins: readonly string[]): Block[] {
  const unreachable = [fromAuthorizer(), statusFilter('EQ', 503), ...(transport === 'grpc' ? [withoutReason()] : [])];
  return [
    ...(transport === 'http' ? [statusFromMetadata()] : []),
    ...(corsOrigins.length === 0 ? [] : [unreachableForPages(unreachable, corsOrigins)]),
    {
      [COMMENT]: 'The authorizer itself is dead or slow.',
      filter: { and_filter: { filters: unreachable } },
      headers_to_add: UNREACHABLE_HEADERS,
      body_format_override: problemBody('authorizer_unreachable'),
    },
  ];
}

const UNREACHABLE_HEADERS: readonly Value[] = [setHeader('retry-after', '1'), setHeader('cache-control', 'no-store')];

/** Which rule it was cannot be asked here: the page of any rule's `cors` may know that the authorizer is away. */
function unreachableForPages(unreachable: readonly Block[], corsOrigins: readonly string[]): Block {
  return {
    [COMMENT]: 'The same, for a page of another origin that a rule names: its script may read it.',
    filter: { and_filter: { filters: [...unreachable, fromOneOf(corsOrigins)] } },
    headers_to_add: [...UNREACHABLE_HEADERS, ...readableBy('retry-after')],
    body_format_override: problemBody('authorizer_unreachable'),
  };
}

/** jwt_authn writes the whole URL of the request into its challenge, query included, and escapes nothing (Envoy 1.40). */
function fromEnvoyAlone(corsOrigins: readonly string[], publicUrl: string): Block[] {
  const realm = `Bearer realm="${publicUrl}"`;
  const challenges: readonly (readonly [comment: string, filters: readonly Block[], challenge: string])[] = [
    ['No token.', [statusFilter('EQ', 401), withoutAuthorization()], realm],
    ['Any other refusal.', [statusFilter('GE', 400)], `${realm}, error="invalid_token"`],
  ];
  return challenges.flatMap(([comment, filters, challenge]) => {
    // Only where there is one: refusals of other filters have none.
    const header = { header: { key: 'www-authenticate', value: challenge }, append_action: 'OVERWRITE_IF_EXISTS' };
    const headers: Block[] = [NO_STORE, header];
    return [
      ...(corsOrigins.length === 0 ? [] : [forPages(comment, filters, headers, corsOrigins)]),
      { [COMMENT]: comment, filter: all(filters), headers_to_add: headers },
    ];
  });
}

/** Which rule it was cannot be asked here: the page of any rule's `cors` may read the refusal of a token. */
function forPages(
  comment: string,
  filters: readonly Block[],
  headers: readonly Block[],
  corsOrigins: readonly string[],
): Block {
  return {
    [COMMENT]: `${comment} A page of another origin that a rule names may read it.`,
    filter: all([...filters, fromOneOf(corsOrigins)]),
    headers_to_add: [...headers, ...readableBy('www-authenticate')],
  };
}

function all(filters: readonly Block[]): Block {
  const [only] = filters;
  return filters.length === 1 && only ? only : { and_filter: { filters } };
}

function withoutAuthorization(): Block {
  return { header_filter: { header: { name: 'authorization', present_match: true, invert_match: true } } };
}

function fromOneOf(origins: readonly string[]): Block {
  const regex = origins.map(quote).join('|');
  return { header_filter: { header: { name: 'origin', string_match: { safe_regex: { regex } } } } };
}

function readableBy(exposed: string): Block[] {
  return [
    setHeader('access-control-allow-origin', '%REQ(ORIGIN)%'),
    setHeader('access-control-allow-credentials', 'true'),
    setHeader('access-control-expose-headers', exposed),
    setHeader('vary', 'Origin'),
  ];
}

function statusFromMetadata(): Block {
  return {
    [COMMENT]:
      'Envoy drops the body of a 5xx from its authorizer, so an outage arrives as a 403 with the status in metadata.',
    filter: {
      and_filter: { filters: [fromAuthorizer(), metadata(WIRE.status, { string_match: { exact: '503' } }, false)] },
    },
    status_code: 503,
  };
}

/** The response flag of ext_authz: nothing that client or application send can set it. */
function fromAuthorizer(): Block {
  return { response_flag_filter: { flags: ['UAEX'] } };
}

/** Over gRPC an outage of Ory is a 503 as it is; but every answer of the authorizer has a reason. */
function withoutReason(): Block {
  return metadata(WIRE.reason, { null_match: {} }, true);
}

function metadata(key: string, value: Block, matchIfMissing: boolean): Block {
  return {
    metadata_filter: {
      matcher: { filter: 'envoy.filters.http.ext_authz', path: [{ key }], value },
      match_if_key_not_found: matchIfMissing,
    },
  };
}

function statusFilter(op: string, status: number): Block {
  return {
    status_code_filter: { comparison: { op, value: { default_value: status, runtime_key: 'ory_envoy.none' } } },
  };
}
