// What a rule matches, as an AuthorizationPolicy can say it: exact paths, prefixes, templates, and never an expression.
// No I/O.
import { ANY, type HostPattern, type PathGlob } from '../../config/pattern.ts';
import type { Matched } from '../../config/rule-index.ts';

/** `to.operation`. All fields that are there must hold. */
export interface Operation {
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
}

/** RFC 3986's unreserved characters: others may be escaped or not, and `*` and `{` mean something here. */
const PLAIN = /^[\w.~-]*$/;

/** Whether `pathsInside` and `hostsInside` match just what the rule does. */
export function isExact({ path, host }: Matched): boolean {
  return host?.suffix === undefined && plainSegments(path).length === path.segments.length;
}

function plainSegments({ segments }: PathGlob): string[] {
  const plain: string[] = [];
  for (const segment of segments) {
    if (segment === ANY || !PLAIN.test(segment)) break;
    plain.push(segment);
  }
  return plain;
}

/** Values that match nothing beside what the glob matches; empty where there are none. */
export function pathsInside(glob: PathGlob): string[] {
  if (!glob.segments.every((segment) => segment === ANY || PLAIN.test(segment))) return [];
  const template = glob.segments.includes(ANY);
  const path = `/${glob.segments.map((segment) => (segment === ANY ? '{*}' : segment)).join('/')}`;
  if (!glob.rest) return [path];
  if (glob.segments.length === 0) return ['/*'];
  return [path, `${path}${template ? '/{**}' : '/*'}`];
}

/** Values that match at least what the glob matches; undefined where nothing less than every path does. */
function pathsOutside(glob: PathGlob): string[] | undefined {
  const plain = plainSegments(glob);
  const path = `/${plain.join('/')}`;
  if (plain.length === glob.segments.length) {
    if (!glob.rest) return [path];
    return plain.length === 0 ? undefined : [path, `${path}/*`];
  }
  return plain.length === 0 ? undefined : [`${path}/*`];
}

/** A port that is not digits is refused before (guard.ts). What has a pattern and a port is left out. */
function hostsInside({ exact, suffix }: HostPattern): string[] {
  if (exact === undefined) return [`*${suffix}`, `*${suffix}.`];
  return exact.startsWith('[') ? [exact, `${exact}:*`] : [exact, `${exact}:*`, `${exact}.`, `${exact}.:*`];
}

/** Undefined where nothing less than every host does: a suffix has no way to say "and any port". */
function hostsOutside(host: HostPattern | undefined): string[] | undefined {
  return host?.exact === undefined ? undefined : hostsInside(host);
}

/** Matches nothing beside what the rule matches; undefined where that is nothing. */
export function inside({ path, host, methods }: Matched): Operation | undefined {
  const paths = pathsInside(path);
  if (paths.length === 0) return undefined;
  return { paths, ...(host ? { hosts: hostsInside(host) } : {}), ...(methods ? { methods } : {}) };
}

/** Matches at least what the rule matches. */
export function outside({ path, host, methods }: Matched): Operation {
  const paths = pathsOutside(path);
  const hosts = hostsOutside(host);
  return { ...(paths ? { paths } : {}), ...(hosts ? { hosts } : {}), ...(methods ? { methods } : {}) };
}

/**
 * What of `operation` an exact rule does not match, as operations of which every one is within `operation`. Empty where
 * the rule takes all of it.
 */
export function without(operation: Operation, rule: Matched): Operation[] {
  const { methods, paths, hosts } = outside(rule);
  return [
    ...(paths ? [{ ...operation, notPaths: union(operation.notPaths, paths) }] : []),
    ...(hosts ? [{ ...operation, notHosts: union(operation.notHosts, hosts) }] : []),
    ...(methods ? withoutMethods(operation, methods) : []),
  ];
}

function withoutMethods(operation: Operation, methods: readonly string[]): Operation[] {
  if (operation.methods === undefined) return [{ ...operation, notMethods: union(operation.notMethods, methods) }];
  const left = operation.methods.filter((method) => !methods.includes(method));
  return left.length === 0 ? [] : [{ ...operation, methods: left }];
}

function union(some: readonly string[] | undefined, more: readonly string[]): string[] {
  return [...new Set([...(some ?? []), ...more])];
}
