// AuthorizationPolicy: CUSTOM for what is asked, or ALLOW and DENY where Istio judges the whole policy. No I/O.
import type { TokenRequirement } from '../../config/config.ts';
import type { KubernetesObject } from '../kubernetes/manifest.ts';
import type { Plan, PlannedTokens } from '../plan.ts';
import { type Block, COMMENT, ONE_LINE, type Value } from '../yaml.ts';
import { askedOperations } from './asked.ts';
import { OBJECT_NAME, providerName, WITHOUT_TOKEN_NAME } from './names.ts';
import { type Region, regions } from './native.ts';
import type { Operation } from './operation.ts';
import { target, type Workload } from './workload.ts';

/** Everything but the open rules. */
export function customPolicy(workload: Workload, { rules }: Plan): KubernetesObject {
  const asked = askedOperations(rules);
  return policy(
    workload,
    { name: OBJECT_NAME, comment: 'The authorizer is asked about what any of these match. It finds the rule itself.' },
    'CUSTOM',
    {
      provider: { name: providerName(workload.namespace) },
      rules: asked.map(({ operation, why }) => ({ [COMMENT]: `${capital(why)}.`, ...to([operation]) })),
    },
  );
}

/** What a rule allows, and nothing else; and no other policy can allow a request without a token. */
export function nativePolicies(workload: Workload, plan: Plan): KubernetesObject[] {
  const all = (regions(plan.rules) ?? []).filter(({ operations }) => operations.length > 0);
  const { tokens } = plan;
  const closed = all.filter(({ rule }) => rule.verdict.kind !== 'open');
  return [
    ...(tokens && closed.length > 0
      ? [
          policy(
            workload,
            {
              name: WITHOUT_TOKEN_NAME,
              comment:
                'Whatever another policy of this workload allows: nothing without an access token of the issuer.',
            },
            'DENY',
            { rules: closed.flatMap((region) => denials(region, tokens)) },
          ),
        ]
      : []),
    policy(workload, { name: OBJECT_NAME, comment: 'What no rule allows is refused.' }, 'ALLOW', {
      rules: all.flatMap((region) => allowances(region, plan)),
    }),
  ];
}

function policy(
  workload: Workload,
  { name, comment }: { readonly name: string; readonly comment: string },
  action: string,
  spec: Block,
): KubernetesObject {
  return {
    [COMMENT]: comment,
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: workload.namespace },
    spec: { ...target(workload), action, ...spec },
  };
}

/** Claims that no verified token of the issuer lacks, each on its own: a DENY is every one of its rules. */
function denials({ rule, operations }: Region, tokens: PlannedTokens): Block[] {
  const missing: readonly (readonly [why: string, condition: Block])[] = [
    ['without a token of the issuer', { key: claimKey(['iss']), notValues: [tokens.issuer] }],
    ['with an ID token', { key: claimKey(['client_id']), notValues: ['*'] }],
  ];
  return missing.map(([why, condition]) => ({
    [COMMENT]: `Rule ${rule.name}, ${why}.`,
    ...to(operations),
    when: [oneLine(condition)],
  }));
}

function allowances({ rule, operations }: Region, { tokens }: Plan): Block[] {
  const { verdict, name } = rule;
  if (verdict.kind !== 'enforced' || !tokens) return [{ [COMMENT]: `Rule ${name}.`, ...to(operations) }];
  const ways = verdict.yes.tokens.flatMap(({ requirement }) => conditions(requirement, tokens));
  return ways.map(({ why, when }) => ({
    [COMMENT]: `Rule ${name}${why}.`,
    ...to(operations),
    when: when.map(oneLine),
  }));
}

interface Way {
  /** Behind the rule's name. */
  readonly why: string;
  readonly when: readonly Block[];
}

/** Any of them is enough. Hydra writes scopes into `scp`, `scope` or both. */
function conditions({ audiences, scopes, claims }: TokenRequirement, tokens: PlannedTokens): Way[] {
  const common: Block[] = [
    { key: claimKey(['iss']), values: [tokens.issuer] },
    // Hydra's ID tokens have none.
    { key: claimKey(['client_id']), values: ['*'] },
    // jwt_authn's own check also takes other schemes and a trailing slash.
    ...(audiences.length === 0 ? [] : [{ key: 'request.auth.audiences', values: [...audiences] }]),
    ...claims.map(({ path, value }) => ({ key: claimKey(path), values: [String(value)] })),
  ];
  if (scopes.length === 0) return [{ why: '', when: common }];
  return ['scp', 'scope'].map((claim) => ({
    why: `, scopes in ${claim}`,
    when: [...common, ...scopes.map((scope) => ({ key: claimKey([claim]), values: [scope] }))],
  }));
}

function claimKey(path: readonly string[]): string {
  return `request.auth.claims${path.map((name) => `[${name}]`).join('')}`;
}

/** No operation at all is every request; Istio wants that as an empty rule. */
function to(operations: readonly Operation[]): Block {
  if (operations.some((operation) => Object.keys(operation).length === 0)) return {};
  return { to: operations.map((operation): Value => oneLine({ operation: { ...operation } })) };
}

function oneLine(block: Block): Block {
  return { ...block, [ONE_LINE]: true };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
