// The request target as the generated Envoy hands it to its rules: normalize_path and merge_slashes. What it leaves as it
// is, it leaves to the refusal of ambiguous paths. No I/O.

/** `target`: path and query, one character a byte; the query is not touched. */
export function normalisedByEnvoy(target: string): string {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question);
  const plain = path.replaceAll('\\', '/').replace(/%([0-9A-Fa-f]{2})/g, unreservedAlone);
  return `${withoutDots(plain).replace(/\/{2,}/g, '/')}${query}`;
}

/** Once, from left to right: what appears by it is not read again. */
function unreservedAlone(written: string, hex: string): string {
  const char = String.fromCharCode(Number.parseInt(hex, 16));
  return /[A-Za-z0-9._~-]/.test(char) ? char : written;
}

/** RFC 3986, section 5.2.4, before slashes are merged: an empty segment is one, and `..` takes it away. */
function withoutDots(path: string): string {
  const [, ...segments] = path.split('/');
  const kept: string[] = [];
  for (const [i, segment] of segments.entries()) {
    const last = i === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (last) kept.push('');
  }
  return `/${kept.join('/')}`;
}
