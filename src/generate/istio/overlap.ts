// Whether two rules may match the same request. No I/O.
import type { Rule } from '../../config/config.ts';
import { ANY, type HostPattern, hostCovers, type PathGlob } from '../../config/pattern.ts';

export type Matched = Pick<Rule, 'host' | 'path' | 'methods'>;

export function overlap(one: Matched, other: Matched): boolean {
  return (
    methodsOverlap(one.methods, other.methods) &&
    hostsOverlap(one.host, other.host) &&
    pathsOverlap(one.path, other.path)
  );
}

function methodsOverlap(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  return !one || !other || one.some((method) => other.includes(method));
}

/** Patterns are suffixes: two of them meet only where one covers the other. */
function hostsOverlap(one: HostPattern | undefined, other: HostPattern | undefined): boolean {
  return hostCovers(one, other) || hostCovers(other, one);
}

function pathsOverlap(one: PathGlob, other: PathGlob): boolean {
  const shorter = Math.min(one.segments.length, other.segments.length);
  if (one.segments.length > shorter && !other.rest) return false;
  if (other.segments.length > shorter && !one.rest) return false;
  for (let i = 0; i < shorter; i++) {
    const [a, b] = [one.segments[i], other.segments[i]];
    if (a === b || (a === ANY && b !== '') || (b === ANY && a !== '')) continue;
    return false;
  }
  return true;
}
