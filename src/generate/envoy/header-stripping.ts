// What is removed from every request before Envoy does anything else with it, in every spelling. No I/O.
import { WIRE } from '../../check/wire.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { quote } from './path-matchers.ts';

/** Headers by which Ory Network is told where it seems to be: the edge's alone. */
const ORY_CONTROL_HEADERS = ['ory-base-url-rewrite*', 'ory-no-custom-domain-redirect'];
/** Headers between Envoy and authorizer that a client must not be able to speak. */
const STRIPPED = [
  WIRE.edgeKey,
  WIRE.policy,
  WIRE.jwtFailure,
  `${WIRE.status}*`,
  `${WIRE.cacheFor}*`,
  `${WIRE.rule}*`,
  `${WIRE.reason}*`,
];
/** Many frameworks take path or method from these: the application would answer another request than was judged. */
const OTHER_REQUESTS = ['x-original-*', 'x-rewrite-url', 'x-envoy-original-*', 'x-http-method*', 'x-method-override'];
/** Believed only of a proxy in front; Envoy rewrites X-Forwarded-For and -Proto by itself. */
const FORWARDED = ['forwarded', 'x-forwarded-*'];
/** Other proxies' words for the client's address, which many applications believe, Kratos among them. */
export const CLIENT_ADDRESS_HEADERS = [
  'x-real-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'fastly-client-ip',
];

/**
 * What a name may have where another has `-`: applications and servers fold separators (CGI turns `-`, `_` and more into
 * `_`). As ASCII ranges, because a negated class is a much larger program, and Envoy bounds that.
 */
const SEPARATOR = '[!-/:-@\\[-`{-~]';

/** An expression for a header's name as Envoy has it, in lower case; a trailing `*` stands for any ending. */
export function everySpelling(name: string): string {
  const parts = name.toLowerCase().split(/[-_]/);
  return parts.map((part) => (part.endsWith('*') ? `${quote(part.slice(0, -1))}.*` : quote(part))).join(SEPARATOR);
}

/** Names of headers, each in every spelling; a trailing `*` stands for any ending. */
export function strippedHeaders({ identityHeaders, ory }: Plan, trustedHops: number): string[] {
  return [
    ...identityHeaders,
    ...STRIPPED,
    ...OTHER_REQUESTS,
    ...(trustedHops === 0 ? [...FORWARDED, ...CLIENT_ADDRESS_HEADERS] : []),
    ...(ory ? ORY_CONTROL_HEADERS : []),
  ];
}

export function earlyHeaderMutations(plan: Plan, trustedHops: number): Block {
  return {
    [COMMENT]:
      'Identity headers are the authorizer’s alone: every spelling of a client’s own is removed, on every route.',
    name: 'envoy.http.early_header_mutation.header_mutation',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
      mutations: strippedHeaders(plan, trustedHops).map(removal),
    },
  };
}

function removal(name: string): Block {
  return { remove_on_match: { key_matcher: { safe_regex: { regex: everySpelling(name) } } } };
}

/** Trailers come after every check, and some applications read them as headers. Only HTTP/2 carries them on. */
export function trailerStripping({ identityHeaders }: Plan): Block {
  return {
    [COMMENT]: 'Nor is an identity taken from a client’s trailers.',
    name: 'envoy.filters.http.header_mutation',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
      mutations: { request_trailers_mutations: [...identityHeaders, ...STRIPPED].map(removal) },
    },
  };
}
