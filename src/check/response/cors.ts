// What lets a page of another origin read a denial (Fetch, section 3.2). No I/O.
import type { Rule } from '../../config/config.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { HeaderPair } from './identity-headers.ts';

/** Headers of a denial that a script has a use for and may not read unasked. */
const EXPOSED = 'retry-after, www-authenticate';

/** Headers of a denial on a rule with `cors`; the origins are named, so credentials may come along. */
export function corsHeaders(rule: Rule | undefined, { origin }: CheckRequest): HeaderPair[] {
  if (!rule?.corsOrigins) return [];
  const headers: HeaderPair[] = [['vary', 'Origin']];
  if (origin === undefined || !rule.corsOrigins.includes(origin)) return headers;
  return [
    ...headers,
    ['access-control-allow-origin', origin],
    ['access-control-allow-credentials', 'true'],
    ['access-control-expose-headers', EXPOSED],
  ];
}
