// Finding the first of many rules: for each host a tree over the segments of path globs. Ten thousand rules cost about
// what ten do, and no request visits more nodes than the rules have segments. No I/O.
import type { Rule } from './config.ts';
import { ANY, type HostPattern, type PathGlob } from './pattern.ts';

/** What rules are matched on. */
export type Matched = Pick<Rule, 'host' | 'path' | 'methods'>;

/** Of globs that end at one node: positions in the order of the file, the least for each way to match. */
interface Ends {
  /** Whatever its methods. */
  readonly first: number;
  everyMethod: number;
  byMethod: Map<string, number> | undefined;
}

interface Node {
  /** The first rule at or below this node: rules are added in order. */
  readonly least: number;
  literals: Map<string, Node> | undefined;
  any: Node | undefined;
  /** Of globs that end here. */
  exact: Ends | undefined;
  /** Of globs with `**` from here on. */
  rest: Ends | undefined;
}

/** Earlier rules whose paths and hosts take in all of a rule's. */
export interface Covering {
  /** The first of them; undefined where there is none. */
  readonly first: number | undefined;
  /** The first that takes every method. */
  readonly everyMethod: number | undefined;
  /** Whether one of them takes the method, among those that name methods. */
  takes(method: string): boolean;
}

/** Larger than the position of any rule. */
const NONE = Number.POSITIVE_INFINITY;
const DOT = 0x2e;

export class RuleIndex {
  #anyHost: Node | undefined;
  readonly #exactHosts = new Map<string, Node>();
  /** With their leading dots. */
  readonly #suffixes = new Map<string, Node>();
  /** A host is looked up by as many of its own suffixes as there are lengths. */
  readonly #suffixLengths = new Set<number>();
  #depth = 0;

  /** `position` grows from call to call. */
  add({ host, path, methods }: Matched, position: number): void {
    let node = this.#rootFor(host, position);
    for (const segment of path.segments) node = childOf(node, segment, position);
    const end = path.rest ? 'rest' : 'exact';
    node[end] = withRule(node[end], methods, position);
    this.#depth = Math.max(this.#depth, path.segments.length);
  }

  /** The position of the first rule that matches. `path` is canonical; `host` is lower case, without port. */
  first(method: string, host: string, path: string): number | undefined {
    // Deeper than any rule is deep enough: a path of thousands of segments is not taken apart.
    const segments = path.slice(1).split('/', this.#depth + 1);
    let best = firstBelow(this.#anyHost, segments, method, NONE);
    best = firstBelow(this.#exactHosts.get(host), segments, method, best);
    for (const length of this.#suffixLengths) {
      const from = host.length - length;
      if (from <= 0 || host.charCodeAt(from) !== DOT) continue;
      best = firstBelow(this.#suffixes.get(host.slice(from)), segments, method, best);
    }
    return best === NONE ? undefined : best;
  }

  /** Which rules match whatever this one does, methods aside. */
  covering({ host, path }: Matched): Covering {
    const ends = [...this.#rootsOver(host)].flatMap((root) => endsOver(root, path));
    const least = (of: (one: Ends) => number) => finite(ends.reduce((found, one) => Math.min(found, of(one)), NONE));
    return {
      first: least((one) => one.first),
      everyMethod: least((one) => one.everyMethod),
      takes: (method) => ends.some(({ byMethod }) => byMethod?.has(method)),
    };
  }

  #rootFor(host: HostPattern | undefined, position: number): Node {
    if (host === undefined) {
      this.#anyHost ??= newNode(position);
      return this.#anyHost;
    }
    if (host.exact !== undefined) return grown(this.#exactHosts, host.exact, position);
    const suffix = host.suffix ?? '';
    this.#suffixLengths.add(suffix.length);
    return grown(this.#suffixes, suffix, position);
  }

  /** For every host that the pattern matches. */
  *#rootsOver(host: HostPattern | undefined): Generator<Node> {
    if (this.#anyHost) yield this.#anyHost;
    if (host === undefined) return;
    const exact = host.exact === undefined ? undefined : this.#exactHosts.get(host.exact);
    if (exact) yield exact;
    const name = host.exact ?? host.suffix ?? '';
    for (const length of this.#suffixLengths) {
      const suffix = length <= name.length ? this.#suffixes.get(name.slice(name.length - length)) : undefined;
      if (suffix) yield suffix;
    }
  }
}

function newNode(least: number): Node {
  return { least, literals: undefined, any: undefined, exact: undefined, rest: undefined };
}

function grown(nodes: Map<string, Node>, key: string, position: number): Node {
  let node = nodes.get(key);
  if (!node) {
    node = newNode(position);
    nodes.set(key, node);
  }
  return node;
}

function childOf(node: Node, segment: string | typeof ANY, position: number): Node {
  if (segment === ANY) {
    node.any ??= newNode(position);
    return node.any;
  }
  node.literals ??= new Map();
  return grown(node.literals, segment, position);
}

/** Earlier rules stand: the first that matches wins. */
function withRule(ends: Ends | undefined, methods: readonly string[] | undefined, position: number): Ends {
  const changed = ends ?? { first: position, everyMethod: NONE, byMethod: undefined };
  if (!methods) changed.everyMethod = Math.min(changed.everyMethod, position);
  for (const method of methods ?? []) {
    changed.byMethod ??= new Map();
    if (!changed.byMethod.has(method)) changed.byMethod.set(method, position);
  }
  return changed;
}

function finite(position: number): number | undefined {
  return position === NONE ? undefined : position;
}

/**
 * The least of `best` and what matches below `root`. Where a literal and `*` both fit, the branch that may win by more
 * goes first, and one that cannot win is not walked: each node is visited at most once.
 */
function firstBelow(root: Node | undefined, segments: readonly string[], method: string, best: number): number {
  let found = best;
  let later: { readonly node: Node; readonly depth: number }[] | undefined;
  let node = root;
  let depth = 0;
  for (;;) {
    while (node && node.least < found) {
      if (node.rest) found = Math.min(found, firstFor(node.rest, method));
      const segment = segments[depth];
      if (segment === undefined) {
        if (node.exact) found = Math.min(found, firstFor(node.exact, method));
        break;
      }
      depth++;
      const literal: Node | undefined = node.literals?.get(segment);
      const any: Node | undefined = segment === '' ? undefined : node.any;
      if (literal && any) {
        const [sooner, other] = literal.least < any.least ? [literal, any] : [any, literal];
        later ??= [];
        later.push({ node: other, depth });
        node = sooner;
      } else node = literal ?? any;
    }
    const next = later?.pop();
    if (!next) return found;
    ({ node, depth } = next);
  }
}

function firstFor({ everyMethod, byMethod }: Ends, method: string): number {
  return Math.min(everyMethod, byMethod?.get(method) ?? NONE);
}

/** Where the globs below `root` end that match every path which `path` matches. */
function endsOver(root: Node, path: PathGlob): Ends[] {
  const ends: Ends[] = [];
  let level = [root];
  for (const segment of path.segments) {
    const next: Node[] = [];
    for (const { rest, literals, any } of level) {
      if (rest) ends.push(rest);
      const literal = segment === ANY ? undefined : literals?.get(segment);
      if (literal) next.push(literal);
      if (any && segment !== '') next.push(any);
    }
    level = next;
  }
  for (const { exact, rest } of level) {
    if (rest) ends.push(rest);
    if (exact && !path.rest) ends.push(exact);
  }
  return ends;
}
