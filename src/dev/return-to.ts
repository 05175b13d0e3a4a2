// Where a login or logout may send the browser afterwards. No I/O.

const loopbackHosts = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * The address in its parsed form, or undefined where the development Ory does not send anybody there:
 * anything but http and https to this machine. A relative one is resolved against `base`, as Kratos does. The parsed
 * form is used, never the raw one, so that what was judged is what the browser follows.
 */
export function safeReturnTo(address: string, base: string): string | undefined {
  if (!URL.canParse(address, base)) return undefined;
  const url = new URL(address, base);
  return isLoopbackUrl(url) ? url.href : undefined;
}

/** http or https to this machine, without a user in it. */
export function isLoopbackUrl(url: URL): boolean {
  const web = url.protocol === 'http:' || url.protocol === 'https:';
  if (!web || url.username !== '' || url.password !== '') return false;
  return loopbackHosts.has(url.hostname) || url.hostname.endsWith('.localhost');
}
