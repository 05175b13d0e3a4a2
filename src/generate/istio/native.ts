// Rules that Istio judges by itself, as rules of an ALLOW and a DENY policy. The first match wins here, and any match
// there: from each rule the earlier ones are taken away. No I/O.
import type { PlannedRule } from '../plan.ts';
import { inside, type Operation, without } from './operation.ts';
import { overlap } from './overlap.ts';

/** Of one rule: what it is the first to match. */
export interface Region {
  readonly rule: PlannedRule;
  readonly operations: readonly Operation[];
}

/** More are not readable, and Envoy would look at each of them with every request. */
const MAX_OPERATIONS = 64;

/** Undefined where the rules overlap in too many ways. */
export function regions(rules: readonly PlannedRule[]): Region[] | undefined {
  const all = rules.map((rule, i) => {
    const whole = inside(rule.match);
    let operations = whole ? [whole] : [];
    for (const earlier of rules.slice(0, i)) {
      if (!overlap(earlier.match, rule.match)) continue;
      operations = operations.flatMap((operation) => without(operation, earlier.match));
    }
    return { rule, operations };
  });
  return all.some(({ operations }) => operations.length > MAX_OPERATIONS) ? undefined : all;
}
