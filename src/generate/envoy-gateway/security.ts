// The SecurityPolicies: one for the HTTPRoutes as a whole, which asks or refuses, and one for each rule that the gateway
// judges by itself. A rule whose own policy gets lost so stays guarded. No I/O.
import type { Config } from '../../config/config.ts';
import { checkTimeoutMs } from '../envoy/filters.ts';
import { AUTHORIZER_NAME, GRPC_PORT } from '../kubernetes/authorizer.ts';
import type { KubernetesObject, Manifest } from '../kubernetes/manifest.ts';
import { Names } from '../kubernetes/names.ts';
import type { NativeToken, Plan, PlannedRule } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { EXTENSION_API, NAME, POLICY_FILE, routeRef } from './kinds.ts';
import { audiencesOf } from './plan.ts';
import { type Passage, routeNames } from './routes.ts';
import { PROVIDER, tokenCondition } from './token-condition.ts';

export function securityPolicies(all: readonly Passage[], config: Config, plan: Plan, namespace: string): Manifest[] {
  const names = new Names();
  const whole = names.give(NAME);
  return [
    policy(whole, namespace, plan.authorizer ? asked(config) : NOBODY, {
      targets: routeNames(all).map((name) => routeRef(name)),
      comment: plan.authorizer
        ? 'Whatever no policy below is for is asked about, over gRPC: all headers reach the authorizer, and a cookie can go back.'
        : 'Whatever no policy below is for is refused.',
    }),
    ...all.flatMap((passage) => {
      const spec = nativeSpec(passage, config);
      if (!spec) return [];
      return [
        policy(names.give(`${NAME}-${passage.section}`), namespace, spec, {
          targets: [routeRef(passage.route, passage.section)],
          comment: passage.rule
            ? `Rule ${passage.rule.name}: ${passage.rule.native}.`
            : 'The answer is the same for everybody.',
        }),
      ];
    }),
  ];
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
