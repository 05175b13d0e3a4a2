// One EnvoyFilter for what Istio's own objects have no word for: paths with two readings are refused, a client's identity
// headers removed before anything else, and with `--edge-cache` a yes of the authorizer remembered. No I/O.

import { grpcReading } from '../envoy/filters.ts';
import { earlyHeaderMutations, trailerStripping } from '../envoy/header-stripping.ts';
import { localReplyConfig, NO_STORE, problemBody, setHeader } from '../envoy/local-replies.ts';
import { notTaken } from '../envoy/native-yes.ts';
import { REFUSED } from '../envoy/routes.ts';
import type { KubernetesObject } from '../kubernetes/manifest.ts';
import type { Plan, PlannedTokens } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { edgeCachePatches } from './edge-cache.ts';
import { OBJECT_NAME, WITHOUT_TOKEN_NAME } from './names.ts';
import { withoutIdentity } from './open-rules.ts';
import type { Workload } from './workload.ts';

export function guard(workload: Workload, plan: Plan, publicUrl: string): KubernetesObject {
  const context = workload.mode === 'gateway' ? 'GATEWAY' : 'SIDECAR_INBOUND';
  const at = (name?: string): Block => ({
    context,
    listener: {
      filterChain: {
        filter: {
          name: 'envoy.filters.network.http_connection_manager',
          ...(name === undefined ? {} : { subFilter: { name } }),
        },
      },
    },
  });
  return {
    [COMMENT]: guardComment(plan),
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: OBJECT_NAME, namespace: workload.namespace },
    spec: {
      workloadSelector: { labels: workload.labels },
      configPatches: [
        {
          applyTo: 'NETWORK_FILTER',
          match: at(),
          patch: { operation: 'MERGE', value: { typed_config: connectionManager(plan, workload, publicUrl) } },
        },
        // What is inserted later comes first.
        { applyTo: 'HTTP_FILTER', match: at(), patch: { operation: 'INSERT_FIRST', value: trailerStripping(plan) } },
        { applyTo: 'HTTP_FILTER', match: at(), patch: { operation: 'INSERT_FIRST', value: refusing() } },
        ...(plan.tokens && !plan.authorizer
          ? [refusingTokens(plan.tokens), ...withoutIdentity(plan)].map((value) => ({
              applyTo: 'HTTP_FILTER',
              match: at('envoy.filters.http.router'),
              patch: { operation: 'INSERT_BEFORE', value },
            }))
          : []),
        ...(plan.authorizer
          ? [
              {
                applyTo: 'HTTP_FILTER',
                match: at(EXT_AUTHZ),
                patch: { operation: 'MERGE', value: { name: EXT_AUTHZ, typed_config: reading(plan) } },
              },
            ]
          : []),
        ...(plan.edgeCache
          ? edgeCachePatches(plan, plan.edgeCache.ttlMs).map((value) => ({
              applyTo: 'HTTP_FILTER',
              match: at(EXT_AUTHZ),
              patch: { operation: 'INSERT_BEFORE', value },
            }))
          : []),
      ],
    },
  };
}

/** What Istio calls the filter. */
const EXT_AUTHZ = 'envoy.filters.http.ext_authz';

function guardComment({ rules }: Plan): string {
  return rules.every(({ verdict }) => verdict.kind === 'asked')
    ? 'A second lock: the authorizer refuses and removes the same. Where EnvoyFilters are not allowed it may be left out.'
    : 'Needed: some requests ask nobody, and Istio’s own objects cannot refuse a path that two readers could take differently,\nnor remove an identity header that a client sends in another spelling.';
}

function connectionManager(plan: Plan, workload: Workload, publicUrl: string): Block {
  const { mappers } = localReplyConfig('grpc', plan, publicUrl) as { mappers: readonly Block[] };
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    // Whatever the mesh says: rules see paths in this form.
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    // Who is trusted for X-Forwarded-For is the mesh's to say (gatewayTopology), so these headers stay.
    early_header_mutation_extensions: [earlyHeaderMutations(plan, 1)],
    local_reply_config: { mappers: [...refusedReplies(), ...withoutToken(plan, workload, publicUrl), ...mappers] },
  };
}

function refusing(): Block {
  return {
    [COMMENT]: 'Before every other filter, and so before whatever could allow.',
    name: 'ory-envoy.guard',
    typed_config: {
      '@type': RBAC_TYPE,
      rules: { action: 'DENY', policies: Object.fromEntries(REASONS.map((reason) => [reason, refusedFor(reason)])) },
    },
  };
}

const RBAC_TYPE = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC';

const REASONS = ['path_ambiguous', 'no_rule'] as const;
type Reason = (typeof REASONS)[number];

const NOT_TAKEN = 'token_not_taken';

/** Behind jwt_authn: for what a RequestAuthentication and an AuthorizationPolicy have no field. */
function refusingTokens(tokens: PlannedTokens): Block {
  return {
    [COMMENT]:
      'A token without an end, of another kind, beside a second one, or with claims that are no plain text in a header.',
    name: 'ory-envoy.token',
    typed_config: {
      '@type': RBAC_TYPE,
      rules: {
        action: 'DENY',
        policies: { [NOT_TAKEN]: { permissions: [{ any: true }], principals: [notTaken(tokens)] } },
      },
    },
  };
}

function refusedFor(reason: Reason): Block {
  return {
    permissions: REFUSED.filter((one) => one.reason === reason).map(({ comment, headers }) => ({
      [COMMENT]: comment,
      ...all(headers.map((header) => ({ header }))),
    })),
    principals: [{ any: true }],
  };
}

function all(rules: readonly Block[]): Block {
  const [only] = rules;
  return rules.length === 1 && only ? only : { and_rules: { rules } };
}

/** RBAC answers 403 with a body of its own. */
function refusedReplies(): Block[] {
  return REASONS.map((reason) => {
    const body = problemBody(reason);
    const { status = 403 } = body['json_format'] as Block;
    return {
      // RBAC writes what it found into metadata only behind its answer (Envoy 1.40), but names the policy in it.
      filter: detailed(`response.code_details == 'rbac_access_denied_matched_policy[${reason}]'`),
      status_code: status,
      headers_to_add: [NO_STORE],
      body_format_override: body,
    };
  });
}

/** Istio's own answer to a missing token is 403, after which no client would think of getting one. */
function withoutToken({ authorizer, tokens }: Plan, { namespace }: Workload, publicUrl: string): Block[] {
  if (authorizer || !tokens) return [];
  const policy = `rbac_access_denied_matched_policy[ns[${namespace}]-policy[${WITHOUT_TOKEN_NAME}]`;
  return [
    {
      filter: detailed(`response.code_details.startsWith('${policy}') && !('authorization' in request.headers)`),
      status_code: 401,
      headers_to_add: [NO_STORE, setHeader('www-authenticate', `Bearer realm="${publicUrl}"`)],
      body_format_override: problemBody('credential_missing'),
    },
    {
      filter: detailed(`response.code_details == 'rbac_access_denied_matched_policy[${NOT_TAKEN}]'`),
      status_code: 401,
      headers_to_add: [NO_STORE, setHeader('www-authenticate', `Bearer realm="${publicUrl}", error="invalid_token"`)],
    },
  ];
}

function detailed(expression: string): Block {
  return {
    extension_filter: {
      name: 'envoy.access_loggers.extension_filters.cel',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
        expression,
      },
    },
  };
}

function reading(plan: Plan): Block {
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
    validate_mutations: true,
    ...grpcReading(plan),
  };
}
