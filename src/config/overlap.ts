// Whether two rules may match the same request. No I/O.
import { ANY, type HostPattern, hostCovers, type PathGlob } from './pattern.ts';
import type { Matched } from './rule-index.ts';

/** Whether some request matches both. */
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

/** Patterns are names and their endings: two of them meet only where one covers the other. */
export function hostsOverlap(one: HostPattern | undefined, other: HostPattern | undefined): boolean {
  return hostCovers(one, other) || hostCovers(other, one);
}

export function pathsOverlap(one: PathGlob, other: PathGlob): boolean {
  const shared = Math.min(one.segments.length, other.segments.length);
  if (one.segments.length > shared && !other.rest) return false;
  if (other.segments.length > shared && !one.rest) return false;
  for (let i = 0; i < shared; i++) {
    const [a, b] = [one.segments[i], other.segments[i]];
    // `*` is no empty segment.
    if (a === b || (a === ANY && b !== '') || (b === ANY && a !== '')) continue;
    return false;
  }
  return true;
}
