// What Envoy does by itself and what it asks Oathkeeper, rule by rule. No I/O.
import type { Config, Rule } from '../../config/config.ts';
import { makePlan, type Plan, type PlannedRule } from '../plan.ts';
import { authenticatorsOf } from './authenticators.ts';

/** Envoy lets pass what anyone may do; Oathkeeper is asked about the rest, and nothing of that is remembered. */
export function makeOathkeeperPlan(config: Config): Plan {
  const plan = makePlan(config);
  return {
    ...plan,
    authorizer: true,
    tokens: undefined,
    edgeCache: undefined,
    rules: config.rules.flatMap((rule, i) => {
      const planned = plan.rules[i];
      return planned ? [askedOfOathkeeper(planned, rule, config)] : [];
    }),
  };
}

function askedOfOathkeeper(planned: PlannedRule, rule: Rule, config: Config): PlannedRule {
  if (planned.verdict.kind === 'open') return planned;
  const handlers = [...new Set(authenticatorsOf(rule, config).map(({ handler }) => handler))];
  return {
    ...planned,
    verdict: { kind: 'asked' },
    tokens: undefined,
    remembered: false,
    native: undefined,
    asked: `everything: Oathkeeper, by ${handlers.join(', ')}`,
  };
}
