// Which methods a rule of Oathkeeper names, and which earlier rules it has to leave to them. No I/O.
import type { Rule } from '../../config/config.ts';
import { overlap } from '../../config/overlap.ts';
import { hostCovers, pathCovers } from '../../config/pattern.ts';

/** Oathkeeper has no word for every method: those of IANA's registry, without CONNECT and PRI, which nobody routes. */
const METHODS: readonly string[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'ACL', 'BASELINE-CONTROL', 'BIND'],
  ...['CHECKIN', 'CHECKOUT', 'COPY', 'LABEL', 'LINK', 'LOCK', 'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL'],
  ...['MKREDIRECTREF', 'MKWORKSPACE', 'MOVE', 'ORDERPATCH', 'PROPFIND', 'PROPPATCH', 'REBIND', 'REPORT'],
  ...['SEARCH', 'UNBIND', 'UNCHECKOUT', 'UNLINK', 'UNLOCK', 'UPDATE', 'UPDATEREDIRECTREF', 'VERSION-CONTROL'],
];

/** Methods of one rule that come after the same earlier rules. */
export interface MethodGroup {
  readonly methods: readonly string[];
  /** In the order of the file: whoever matches one of them is theirs. */
  readonly earlier: readonly Rule[];
}

/**
 * The methods of `rule`, by which of the rules before it match some of its requests too. A method that one of them takes
 * wholly is left out.
 */
export function methodGroups(rule: Rule, before: readonly Rule[], all: readonly string[]): MethodGroup[] {
  const near = before.filter((one) => overlap(one, rule));
  const groups = new Map<string, { methods: string[]; earlier: readonly Rule[] }>();
  for (const method of rule.methods ?? all) {
    const earlier = near.filter(({ methods }) => methods?.includes(method) ?? true);
    if (earlier.some((one) => covers(one, rule))) continue;
    const needed = earlier.filter((one) => !earlier.some((other) => other !== one && isNeedless(one, other, earlier)));
    const key = [isNavigation(rule, method), ...needed.map(({ name }) => name)].join(' ');
    const group = groups.get(key) ?? { methods: [], earlier: needed };
    group.methods.push(method);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Only a page that is asked for goes to the login (Oathkeeper's error handlers see no method). */
export function isNavigation({ unauthenticated }: Rule, method: string): boolean {
  return unauthenticated === 'redirect' && method === 'GET';
}

/** Every method that a request to this policy may have for Oathkeeper to know its rule. */
export function allMethods(rules: readonly Rule[]): readonly string[] {
  return [...new Set([...METHODS, ...rules.flatMap(({ methods }) => methods ?? [])])];
}

function covers(wide: Rule, narrow: Rule): boolean {
  return hostCovers(wide.host, narrow.host) && pathCovers(wide.path, narrow.path);
}

/** Of two that match the same, the first one stays. */
function isNeedless(one: Rule, other: Rule, order: readonly Rule[]): boolean {
  return covers(other, one) && (!covers(one, other) || order.indexOf(other) < order.indexOf(one));
}
