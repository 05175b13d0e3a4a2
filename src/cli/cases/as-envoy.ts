// The request target as the generated Envoy hands it to its rules: normalize_path and merge_slashes. What it leaves as it
// is, it leaves to the refusal of ambiguous paths. No I/O.

/** `target`: path and query, one character a byte; the query is not touched. */
export function normalisedByEnvoy(target: string): string {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question);
  const segments = path
    .split('/')
    .slice(1)
    .flatMap((segment) => withoutParameters(segment).split('\\'))
    .map((segment) => segment.replace(/%(?![0-9A-Fa-f]{2})/g, '%25').replace(/%([0-9A-Fa-f]{2})/g, unreservedAlone));
  return mergedSlashes(`/${withoutDots(segments).join('/')}`) + query;
}

/** Dots with parameters behind them are dots: written as such, before backslashes and escapes are read. */
function withoutParameters(segment: string): string {
  return /^(\.{1,2});/.exec(segment)?.[1] ?? segment;
}

/** An escape is undone where none was needed, and makes no new one of a broken one before it (`%2%30`). */
function unreservedAlone(written: string, hex: string): string {
  const char = String.fromCharCode(Number.parseInt(hex, 16));
  return /[A-Za-z0-9._~-]/.test(char) ? char : written;
}

/** RFC 3986, section 5.2.4, before slashes are merged: an empty segment is one, and `..` takes it away. */
function withoutDots(segments: readonly string[]): string[] {
  const kept: string[] = [];
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (last) kept.push('');
  }
  return kept;
}

/** Of slashes alone two remain (Envoy 1.40), and are refused. */
function mergedSlashes(path: string): string {
  return /^\/{2,}$/.test(path) ? '//' : path.replace(/\/{2,}/g, '/');
}
