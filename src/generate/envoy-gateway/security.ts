// The SecurityPolicies: one for the whole Gateway, which asks or refuses, whatever route is on it, and one for each rule
// under its name, so that applying another policy leaves none of the one before in force. No I/O.
import type { Config } from '../../config/config.ts';
import { checkTimeoutMs } from '../envoy/filters.ts';
import { AUTHORIZER_NAME, GRPC_PORT } from '../kubernetes/authorizer.ts';
import type { KubernetesObject, Manifest } from '../kubernetes/manifest.ts';
import { Names } from '../kubernetes/names.ts';
import type { NativeToken, Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { EXTENSION_API, gatewayRef, NAME, POLICY_FILE, routeRef } from './kinds.ts';
import { audiencesOf } from './plan.ts';
import type { Passage } from './routes.ts';
import { PROVIDER, tokenCondition } from './token-condition.ts';

export function securityPolicies(all: readonly Passage[], config: Config, plan: Plan, namespace: string): Manifest[] {
  const names = new Names([NAME]);
  return all.map((passage) => {
    const native = nativeSpec(passage, config);
    return policy(names.give(`${NAME}-${passage.section}`), namespace, native ?? standard(config, plan), {
      targets: [routeRef(passage.route, passage.section)],
      comment: commentOf(passage),
    });
  });
}

/** For every route of the Gateway, also those of others, and those of rules that are gone. It belongs before the routes. */
export function gatewayPolicy(config: Config, plan: Plan, namespace: string): Manifest {
  return policy(NAME, namespace, standard(config, plan), {
    targets: [gatewayRef()],
    comment: plan.authorizer
      ? 'Whatever no policy of its own is for is asked about, over gRPC: all headers reach the authorizer, and a cookie can go back.'
      : 'Whatever no policy of its own is for is refused.',
  });
}

function standard(config: Config, { authorizer }: Plan): Block {
  return authorizer ? asked(config) : NOBODY;
}

function commentOf({ rule }: Passage): string {
  if (!rule) return 'The answer is the same for everybody.';
  return `Rule ${rule.name}: ${rule.native ?? 'asked, as the whole is'}.`;
}

function policy(
  name: string,
  namespace: string,
  spec: Block,
  { targets, comment }: { targets: readonly Block[]; comment: string },
): Manifest {
  const object: KubernetesObject = {
    [COMMENT]: comment,
    apiVersion: EXTENSION_API,
    kind: 'SecurityPolicy',
    metadata: { name, namespace },
    spec: { targetRefs: targets, ...spec },
  };
  return { file: POLICY_FILE, object };
}

const NOBODY: Block = { authorization: { defaultAction: 'Deny' } };
const ANYBODY: Block = { authorization: { defaultAction: 'Allow' } };

function nativeSpec({ rule, open }: Passage, config: Config): Block | undefined {
  if (open) return ANYBODY;
  return rule?.verdict.kind === 'enforced' ? tokens(rule, rule.verdict.yes.tokens, config) : undefined;
}

function asked(config: Config): Block {
  const timeout = duration(checkTimeoutMs(config));
  return {
    extAuth: {
      failOpen: false,
      statusOnError: 503,
      timeout,
      grpc: {
        backendRefs: [{ name: AUTHORIZER_NAME, port: GRPC_PORT }],
        backendSettings: {
          retry: {
            numRetries: 1,
            retryOn: { triggers: ['connect-failure', 'refused-stream', 'reset'] },
            // As in `checkRetry` of a generated Envoy.
            perRetry: { backOff: { baseInterval: '25ms', maxInterval: timeout } },
          },
        },
      },
    },
  };
}

/** Gateway API takes at most five digits before a unit (GEP-2257). */
function duration(ms: number): string {
  return ms < 100_000 ? `${ms}ms` : `${Math.ceil(ms / 1_000)}s`;
}

function tokens(rule: PlannedRule, yes: readonly NativeToken[], config: Config): Block {
  const { tokens: settings } = config;
  if (!settings) throw new Error('a rule takes tokens, and nothing says whose');
  const requirements = yes.map(({ requirement }) => requirement);
  const audiences = audiencesOf({ access: { kind: 'require', anyOf: requirements } });
  return {
    jwt: {
      providers: [
        {
          name: PROVIDER,
          issuer: settings.issuer,
          ...(audiences.length === 0 ? {} : { audiences }),
          remoteJWKS: { uri: settings.jwksUrl, cacheDuration: '60s', failedRefetchDuration: '1s' },
          // Named, because the default also takes ?access_token= from the query.
          extractFrom: { headers: [{ name: 'Authorization', valuePrefix: 'Bearer ' }] },
          ...claimHeaders(config),
        },
      ],
    },
    authorization: {
      defaultAction: 'Deny',
      rules: [{ name: rule.name, action: 'Allow', cel: tokenCondition(requirements, config) }],
    },
  };
}

function claimHeaders({ identityHeaders }: Config): Block {
  const pairs = identityHeaders.flatMap(({ name, sources }) =>
    sources.flatMap(({ kind, path }) =>
      kind === 'token' ? [{ claim: path.join('.'), header: name.toLowerCase() }] : [],
    ),
  );
  return pairs.length === 0 ? {} : { claimToHeaders: pairs };
}
