// The address under which the development Ory is reached: its own, or the one that a proxy in front names. No I/O.
import type { DevContext } from './answer.ts';
import { isLoopbackUrl } from './return-to.ts';

const rewriteHeader = 'ory-base-url-rewrite';

/** Without a slash at the end. Everything that the development Ory writes into an answer begins with it. */
export function baseUrl(c: DevContext, ownUrl: string): string {
  const asked = c.req.header(rewriteHeader);
  return asked === undefined ? ownUrl : (rewrittenBase(asked) ?? ownUrl);
}

/** Whether the request asks for a base that is not taken: better refused than answered with addresses that mislead. */
export function hasForeignBase(c: DevContext): boolean {
  const asked = c.req.header(rewriteHeader);
  return asked !== undefined && rewrittenBase(asked) === undefined;
}

/** Ory Network takes any base that comes with the project's key; there is no key here, so this machine alone. */
function rewrittenBase(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (!isLoopbackUrl(url) || url.search !== '' || url.hash !== '') return undefined;
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
