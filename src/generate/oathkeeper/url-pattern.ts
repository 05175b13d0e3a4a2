// Rules' hosts and paths as expressions of Oathkeeper's `regexp` strategy, equal to src/config/pattern.ts. Oathkeeper
// compares scheme://host/path, the path decoded, and refuses what two rules match. No I/O.
import { ANY, type HostPattern, type PathGlob } from '../../config/pattern.ts';
import { GenerateError } from '../generate-error.ts';

export interface Pattern {
  readonly host: HostPattern | undefined;
  readonly path: PathGlob;
}

/** `match.url` of what `pattern` matches and none of `earlier` does. The expression stands in angle brackets. */
export function matchUrl(pattern: Pattern, earlier: readonly Pattern[]): string {
  return `<https?://${earlier.map((one) => `(?!${hostAndPath(one)}$)`).join('')}${hostAndPath(pattern)}>`;
}

function hostAndPath({ host, path }: Pattern): string {
  return `${hostExpression(host)}${pathExpression(path)}`;
}

/** As the client sent it. Nothing in it may match a slash: a path could otherwise stand for a host. */
function hostExpression(host: HostPattern | undefined): string {
  if (!host) return '[^/]+';
  if (host.exact?.startsWith('[')) return `(?i:${quote(host.exact)}(?::[0-9]*)?)`;
  const name = host.exact === undefined ? `[^/]+${quote(host.suffix ?? '')}` : quote(host.exact);
  return `(?i:${name}\\.?(?::[0-9]*)?)`;
}

function pathExpression({ segments, rest, source }: PathGlob): string {
  const parts = segments.map((segment) => (segment === ANY ? '/[^/]+' : `/${quote(decoded(segment, source))}`));
  if (!rest) return parts.join('');
  return parts.length === 0 ? '/.*' : `${parts.join('')}(?:/.*)?`;
}

/** What Go reads bytes that are no UTF-8 as: different ones would be one. */
const REPLACEMENT = '\ufffd';

function decoded(segment: string, source: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    text = REPLACEMENT;
  }
  if (text.includes(REPLACEMENT))
    throw new GenerateError(
      `match.path "${source}": Oathkeeper compares decoded paths and cannot tell bytes that are no UTF-8 apart. Use * for that segment, or \`generate envoy\`.`,
    );
  return text;
}

/** Also `<` and `>`, by which Oathkeeper finds the expression. */
function quote(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&').replace(/[<>]/g, (sign) => (sign === '<' ? '\\x3C' : '\\x3E'));
}
