// The order of the file as Gateway API's own order of precedence, so that it holds in whatever order a gateway puts the
// rules of its HTTPRoutes: by the kind of the path and its length (EnvoyProxy.spec.preserveRouteOrder or not). No I/O.
import { overlap } from '../../config/overlap.ts';
import type { Matched } from '../../config/rule-index.ts';
import { GenerateError } from '../generate-error.ts';
import type { PathMatch, RouteMatch } from './matches.ts';

/** What a rule of an HTTPRoute is compared by. */
export interface Ranked {
  /** In messages. */
  readonly name: string;
  readonly match: RouteMatch;
  /** What it is for; undefined: everything. */
  readonly region: Matched | undefined;
}

/** Of a path in an HTTPRoute; what is refused first has the longest. */
const MAX_VALUE = 1_000;

/**
 * The paths, written such that each rule comes before every later one that takes some of the same requests. Envoy Gateway
 * puts regular expressions before prefixes, and longer ones before shorter ones.
 */
export function inOrder(rules: readonly Ranked[]): PathMatch[] {
  const paths: PathMatch[] = [];
  for (const [i, rule] of [...rules.entries()].reverse()) {
    const later = rules.slice(i + 1).flatMap((other, j) => (meet(rule, other) ? (paths[i + 1 + j] ?? []) : []));
    paths[i] = before(rule, later);
  }
  return paths;
}

function before({ name, match }: Ranked, later: readonly PathMatch[]): PathMatch {
  if (later.every((other) => precedes(match.path, other))) return match.path;
  const regex = match.path.type === 'RegularExpression' ? match.path.value : prefixRegex(match.path.value);
  const lengths = later.map(({ type, value }) => (type === 'RegularExpression' ? value.length : 0));
  const value = padded(regex, Math.max(...lengths) + 1);
  if (value.length > MAX_VALUE)
    throw new GenerateError(
      `rule ${name}: Envoy Gateway takes longer paths first, and its own would have to be longer than an HTTPRoute can hold. Move the rule, or shorten the paths below it.`,
    );
  return { type: 'RegularExpression', value };
}

function precedes(path: PathMatch, other: PathMatch): boolean {
  if (path.type !== other.type) return path.type === 'RegularExpression';
  const length = ({ type, value }: PathMatch) => (type === 'PathPrefix' && value === '/' ? 0 : value.length);
  return length(path) > length(other);
}

/** The same paths, in an expression of at least this length: no path begins with "-". */
export function padded(regex: string, length: number): string {
  return regex.length >= length ? regex : `${regex}|${'-'.repeat(Math.max(1, length - regex.length - 1))}`;
}

function prefixRegex(prefix: string): string {
  return prefix === '/' ? '/.*' : `${prefix.replaceAll('.', '\\.')}(?:/.*)?`;
}

function meet({ region: one }: Ranked, { region: other }: Ranked): boolean {
  return !one || !other || overlap(one, other);
}
