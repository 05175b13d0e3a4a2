// Finding the first of many rules: for each host a tree over the segments of path globs. Ten thousand rules cost about
// what ten do, and no request visits more nodes than the rules have segments. No I/O.
import type { Rule } from './config.ts';
import { ANY, type HostPattern, type PathGlob } from './pattern.ts';

/** What rules are matched on. */
export type Matched = Pick<Rule, 'host' | 'path' | 'methods'>;

/** Of globs that end at one node: positions in the order of the file. */
interface Ends {
  readonly first: number;
  /** Of the first rule; undefined where it takes every method. Rules with the same methods share them. */
  readonly methods: ReadonlySet<string> | undefined;
  /** Of later rules, which matter where the first does not take the method. */
  later: { everyMethod: number; readonly byMethod: Map<string, number> } | undefined;
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
  /** The first that takes every method. */
  readonly everyMethod: number | undefined;
  /** The first that takes the method; undefined where none does. */
  first(method: string): number | undefined;
}

/** Globs can be written such that each is overlapped by every other: then reading them would take their square. */
const MAX_COVER_STEPS = 5_000_000;
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
  readonly #methodSets = new Map<string, ReadonlySet<string>>();
  #depth = 0;
  #coverSteps = 0;

  /** `position` grows from call to call. */
  add({ host, path, methods }: Matched, position: number): void {
    let node = this.#rootFor(host, position);
    for (const segment of path.segments) node = childOf(node, segment, position);
    const end = path.rest ? 'rest' : 'exact';
    const ends = node[end];
    if (ends) addLater(ends, methods, position);
    else node[end] = { first: position, methods: methods && this.#shared(methods), later: undefined };
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

  /**
   * Which rules match whatever this one does, methods aside. Undefined where that has taken too many steps, all calls
   * together: ten thousand rules as people write them take a tenth of a million.
   */
  covering({ host, path }: Matched): Covering | undefined {
    const ends: Ends[] = [];
    for (const root of this.#rootsOver(host)) this.#coverSteps += collectEndsOver(root, path, ends);
    if (this.#coverSteps > MAX_COVER_STEPS) return undefined;
    const least = (of: (one: Ends) => number) => finite(ends.reduce((found, one) => Math.min(found, of(one)), NONE));
    return {
      everyMethod: least((one) => (one.methods ? (one.later?.everyMethod ?? NONE) : one.first)),
      first: (method) => least((one) => firstFor(one, method)),
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

  #shared(methods: readonly string[]): ReadonlySet<string> {
    const key = methods.join(' ');
    let set = this.#methodSets.get(key);
    if (!set) {
      set = new Set(methods);
      this.#methodSets.set(key, set);
    }
    return set;
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
function addLater(ends: Ends, methods: readonly string[] | undefined, position: number): void {
  if (!ends.methods) return;
  ends.later ??= { everyMethod: NONE, byMethod: new Map() };
  if (!methods) ends.later.everyMethod = Math.min(ends.later.everyMethod, position);
  for (const method of methods ?? []) {
    if (!ends.later.byMethod.has(method)) ends.later.byMethod.set(method, position);
  }
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

function firstFor({ first, methods, later }: Ends, method: string): number {
  if (!methods || methods.has(method)) return first;
  return later ? Math.min(later.everyMethod, later.byMethod.get(method) ?? NONE) : NONE;
}

/** Adds where the globs below `root` end that match every path which `path` matches; the number of nodes visited. */
function collectEndsOver(root: Node, path: PathGlob, ends: Ends[]): number {
  let steps = 1;
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
    steps += level.length;
  }
  for (const { exact, rest } of level) {
    if (rest) ends.push(rest);
    if (exact && !path.rest) ends.push(exact);
  }
  return steps;
}
