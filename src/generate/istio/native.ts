// Rules that Istio judges by itself, as rules of an ALLOW and a DENY policy. The first match wins here, and any match
// there: from each rule the earlier ones are taken away. No I/O.

import { overlap } from '../../config/overlap.ts';
import type { PlannedRule } from '../plan.ts';
import { inside, type Operation, without } from './operation.ts';

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
      operations = fewest(operations.flatMap((operation) => without(operation, earlier.match)));
    }
    return { rule, operations };
  });
  return all.some(({ operations }) => operations.length > MAX_OPERATIONS) ? undefined : all;
}

/** Without those that match nothing, or nothing that another does not match. */
function fewest(operations: readonly Operation[]): Operation[] {
  const kept: Operation[] = [];
  for (const operation of operations) {
    if (isEmpty(operation) || kept.some((other) => covers(other, operation))) continue;
    kept.splice(0, kept.length, ...kept.filter((other) => !covers(operation, other)), operation);
  }
  return kept;
}

function isEmpty({ paths, notPaths = [], hosts, notHosts = [] }: Operation): boolean {
  return holdsAll(notPaths, paths) || holdsAll(notHosts, hosts);
}

function holdsAll(values: readonly string[], wanted: readonly string[] | undefined): boolean {
  return wanted?.every((value) => values.includes(value)) ?? false;
}

/** Of operations that began as the same: each has its paths and hosts, and less of them or of the methods. */
function covers(wide: Operation, narrow: Operation): boolean {
  return (
    (narrow.methods?.every((method) => wide.methods?.includes(method)) ?? true) &&
    (wide.notPaths?.every((path) => narrow.notPaths?.includes(path)) ?? true) &&
    (wide.notHosts?.every((host) => narrow.notHosts?.includes(host)) ?? true) &&
    (wide.notMethods?.every((method) => narrow.notMethods?.includes(method)) ?? true)
  );
}
