// What is asked, as operations of a CUSTOM policy: everything but the open rules, seen more widely where it cannot be said
// exactly. No I/O.

import { overlap } from '../../config/overlap.ts';
import type { PlannedRule } from '../plan.ts';
import { inside, type Operation, outside } from './operation.ts';

export interface Asked {
  readonly operation: Operation;
  /** In a sentence's words. */
  readonly why: string;
}

/**
 * What matches none of them is a request that an open rule is the first to match. It follows from the three parts: its
 * path is of an open rule (first), every open rule of that path has its host and method as well (second), and no earlier
 * rule that is asked matches it (third).
 */
export function askedOperations(rules: readonly PlannedRule[]): Asked[] {
  const open = rules.flatMap((rule) => {
    const operation = rule.verdict.kind === 'open' ? inside(rule.match) : undefined;
    return operation ? [{ rule, operation }] : [];
  });
  if (open.length === 0) return [{ operation: {}, why: 'every rule' }];
  return [
    {
      operation: { notPaths: [...new Set(open.flatMap(({ operation }) => operation.paths ?? []))] },
      why: `every path but those of ${open.map(({ rule }) => rule.name).join(', ')}`,
    },
    ...open.flatMap(({ rule, operation: { paths = [], hosts, methods } }): Asked[] => [
      ...(hosts ? [{ operation: { paths, notHosts: hosts }, why: `${rule.name}, for other hosts` }] : []),
      ...(methods ? [{ operation: { paths, notMethods: methods }, why: `${rule.name}, for other methods` }] : []),
    ]),
    ...rules
      .filter((rule, i) => rule.verdict.kind !== 'open' && isBeforeOne(rule, i, open, rules))
      .map((rule) => ({ operation: outside(rule.match), why: `${rule.name}, which comes before an open rule` })),
  ];
}

function isBeforeOne(
  rule: PlannedRule,
  at: number,
  open: readonly { readonly rule: PlannedRule }[],
  rules: readonly PlannedRule[],
): boolean {
  return open.some((one) => rules.indexOf(one.rule) > at && overlap(one.rule.match, rule.match));
}
