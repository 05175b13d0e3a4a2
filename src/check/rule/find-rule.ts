// First match wins; no match is a denial. No I/O.
import type { Rule } from '../../config/config.ts';
import { RuleIndex } from '../../config/rule-index.ts';
import type { Target } from '../request/normalise.ts';

/** The first rule that matches, in the order of the file. */
export type FindRule = (target: Target) => Rule | undefined;

/** Takes time in the size of the rules, once. */
export function createFindRule(rules: readonly Rule[]): FindRule {
  const index = new RuleIndex();
  for (const [position, rule] of rules.entries()) index.add(rule, position);
  return ({ method, host, path }) => {
    const position = index.first(method, host, path);
    return position === undefined ? undefined : rules[position];
  };
}
