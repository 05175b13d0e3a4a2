// The two patterns that a rule may match on, host and path globs: parsing, matching, and which covers which. No I/O.
import { canonicalPath } from './path.ts';

/** A path glob as segments after the leading slash; `rest` is a trailing `**`. `/admin/**` is `['admin']` with `rest`. */
export interface PathGlob {
  readonly source: string;
  readonly segments: readonly (string | typeof ANY)[];
  readonly rest: boolean;
}

/** A host: exact, or `*.suffix` at any depth. Lower case, no port, no trailing dot. */
export interface HostPattern {
  readonly source: string;
  readonly exact: string | undefined;
  /** With its leading dot. */
  readonly suffix: string | undefined;
}

/** One segment, not empty. */
export const ANY: unique symbol = Symbol('*');

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string; readonly fix: string };

const HOST = /^(?:\*\.)?(?:[a-z0-9_-]{1,63})(?:\.[a-z0-9_-]{1,63})*$/;
const IPV6 = /^\[[0-9a-f:.]+\]$/;

function fault(problem: string, fix: string): { ok: false; problem: string; fix: string } {
  return { ok: false, problem, fix };
}

/** Reads `match.path`. Literals are brought into the form in which {@link canonicalPath} compares. */
export function parsePathGlob(source: string): Parsed<PathGlob> {
  if (!source.startsWith('/')) return fault(`"${source}" does not start with "/"`, `Write "/${source}"`);
  const steps = source.slice(1).split('/');
  const rest = steps.at(-1) === '**';
  if (rest) steps.pop();
  const segments: (string | typeof ANY)[] = [];
  for (const step of steps) {
    if (step === '*') {
      segments.push(ANY);
      continue;
    }
    if (step === '**') return fault('"**" stands before the end', 'Use "*" for one segment; "**" may only come last');
    if (step.includes('*')) return fault(`"${step}" mixes "*" with text`, 'A "*" stands for one whole segment');
    segments.push(step);
  }
  const literal = `/${segments.map((s) => (s === ANY ? 'x' : s)).join('/')}`;
  // Byte for byte: a TextDecoder's "latin1" is windows-1252.
  const canonical = canonicalPath(Buffer.from(literal, 'utf8').toString('latin1'));
  // `/a//**` would match nothing below `/a/`: no request path has "//".
  if (canonical === undefined || (rest && segments.includes(''))) {
    return fault(
      `"${source}" has a part that is refused in every request path ("//", "." or "..", ";", "?", "#", a needless or broken escape)`,
      'Write the path as Envoy normalises it',
    );
  }
  const literals = canonical.slice(1).split('/');
  return {
    ok: true,
    value: {
      source,
      rest,
      segments: rest && segments.length === 0 ? [] : segments.map((s, i) => (s === ANY ? ANY : (literals[i] ?? ''))),
    },
  };
}

/** Reads `match.host`. */
export function parseHostPattern(source: string): Parsed<HostPattern> {
  const host = source.toLowerCase().replace(/\.$/, '');
  if (IPV6.test(host)) return { ok: true, value: { source, exact: host, suffix: undefined } };
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//.exec(host)?.[0];
  if (scheme !== undefined) return fault(`"${source}" has a scheme`, `Write the name alone, without "${scheme}"`);
  if (host.includes(':')) return fault(`"${source}" has a port`, 'Leave the port out: it is ignored');
  if (!HOST.test(host))
    return fault(`"${source}" is not a host name`, 'Write a name such as api.acme.com or *.acme.com');
  if (host.startsWith('*.')) return { ok: true, value: { source, exact: undefined, suffix: host.slice(1) } };
  return { ok: true, value: { source, exact: host, suffix: undefined } };
}

/** Whether every host that `narrow` matches is matched by `wide`; undefined matches every host. */
export function hostCovers(wide: HostPattern | undefined, narrow: HostPattern | undefined): boolean {
  if (!wide) return true;
  if (!narrow) return false;
  if (wide.exact !== undefined) return wide.exact === narrow.exact;
  const suffix = wide.suffix ?? '';
  return (narrow.exact ?? narrow.suffix ?? '').endsWith(suffix);
}

/** Whether every path that `narrow` matches is matched by `wide`. */
export function pathCovers(wide: PathGlob, narrow: PathGlob): boolean {
  if (wide.segments.length > narrow.segments.length) return false;
  if (!wide.rest && (narrow.rest || wide.segments.length !== narrow.segments.length)) return false;
  return wide.segments.every((segment, i) => {
    const other = narrow.segments[i];
    return segment === ANY ? other === ANY || other !== '' : segment === other;
  });
}

/** Whether a canonical path's segments (without the leading slash) match. */
export function pathMatches(glob: PathGlob, segments: readonly string[]): boolean {
  const wanted = glob.segments;
  if (glob.rest ? segments.length < wanted.length : segments.length !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) {
    const want = wanted[i];
    const have = segments[i];
    if (want === ANY ? have === '' : want !== have) return false;
  }
  return true;
}

/** Whether a host (lower case, no port, no trailing dot) matches. */
export function hostMatches(pattern: HostPattern, host: string): boolean {
  if (pattern.exact !== undefined) return pattern.exact === host;
  const suffix = pattern.suffix ?? '';
  return host.length > suffix.length && host.endsWith(suffix);
}
