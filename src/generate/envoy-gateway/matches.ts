// Which requests a rule of an HTTPRoute is for. No I/O.
import { ANY, type HostPattern, type PathGlob } from '../../config/pattern.ts';
import { hostRegex, PLAIN_HOST, pathRegex } from '../envoy/path-matchers.ts';
import type { PlannedRule } from '../plan.ts';
import type { Block } from '../yaml.ts';
import { plainPathOf } from './plain-path.ts';

/** Gateway API's own list, without CONNECT (HTTPMethod). TRACE is never judged natively. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

export function isGatewayMethod(method: string): boolean {
  return method === 'TRACE' || METHODS.includes(method);
}

/** In `matches` of an HTTPRoute: a path, and for each of the methods one entry. */
export interface RouteMatch {
  readonly path: PathMatch;
  /** Undefined: every method. */
  readonly methods: readonly string[] | undefined;
  readonly headers: readonly HeaderMatch[];
}

export interface PathMatch {
  readonly type: 'RegularExpression' | 'PathPrefix';
  readonly value: string;
}

interface HeaderMatch {
  readonly name: string;
  /** RE2, on the whole value. */
  readonly value: string;
}

/**
 * Envoy has `:authority` under the name Host too. Hosts are matched there, because by `hostnames` a virtual host would be
 * chosen before any rule, and a host with a dot at its end would be another one.
 */
const HOST = 'Host';

/** Whatever the rule is for, and more than that: the authorizer finds the rule by itself. */
export function askedMatch({ match: { host, path, methods } }: PlannedRule): RouteMatch {
  return {
    path: pathMatch(path),
    // One that an HTTPRoute cannot name is asked about with the others.
    methods: methods?.every(isGatewayMethod) ? methods : undefined,
    headers: host ? [hostMatch(host)] : [],
  };
}

/** What the gateway judges by itself: nothing that the rule is not for, and nothing that has two readings. */
export function nativeMatch({ match: { host, path, methods } }: PlannedRule): RouteMatch {
  return {
    path: { type: 'RegularExpression', value: plainPathOf(path) },
    // Over HTTP/2 a method may be anything, and some applications fold its case.
    methods: methods ?? METHODS,
    headers: [host ? hostMatch(host) : { name: HOST, value: PLAIN_HOST }],
  };
}

function hostMatch(host: HostPattern): HeaderMatch {
  return { name: HOST, value: hostRegex(host) };
}

const UNRESERVED = /^[\w.~-]+$/;

/** The plainest that means the glob, whatever may come: the authorizer refuses what has two readings. */
function pathMatch(glob: PathGlob): PathMatch {
  const literal = glob.segments.every((segment) => segment !== ANY && UNRESERVED.test(segment));
  if (glob.rest && literal) return { type: 'PathPrefix', value: `/${glob.segments.map(String).join('/')}` };
  return { type: 'RegularExpression', value: pathRegex(glob) };
}

/** The entries of `matches`. */
export function matchBlocks({ path, methods, headers }: RouteMatch): Block[] {
  const common: Block = {
    path: { type: path.type, value: path.value },
    ...(headers.length === 0
      ? {}
      : { headers: headers.map(({ name, value }) => ({ type: 'RegularExpression', name, value })) }),
  };
  return methods === undefined ? [common] : methods.map((method) => ({ ...common, method }));
}
