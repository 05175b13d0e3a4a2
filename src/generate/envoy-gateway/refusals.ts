// What the gateway answers by itself: HTTPRouteFilters with a problem body. No I/O.
import { type EdgeReason, PROBLEMS } from '../envoy/local-replies.ts';
import type { Manifest } from '../kubernetes/manifest.ts';
import { EXTENSION_API, NAME, POLICY_FILE } from './kinds.ts';

/** Its name. */
export function refusalFilter(reason: EdgeReason): string {
  return `${NAME}-${reason.replaceAll('_', '-')}`;
}

export function refusalFilters(reasons: Iterable<EdgeReason>, namespace: string): Manifest[] {
  return [...new Set(reasons)].map((reason) => {
    const { status, title } = PROBLEMS[reason];
    const problem = {
      type: `urn:ory-envoy:reason:${reason}`,
      title,
      status,
      reason,
      request_id: '%REQ(X-REQUEST-ID)%',
    };
    return {
      file: POLICY_FILE,
      object: {
        apiVersion: EXTENSION_API,
        kind: 'HTTPRouteFilter',
        metadata: { name: refusalFilter(reason), namespace },
        spec: {
          directResponse: {
            statusCode: status,
            contentType: 'application/problem+json',
            body: { type: 'Inline', inline: JSON.stringify(problem) },
            header: { set: [{ name: 'cache-control', value: 'no-store' }] },
          },
        },
      },
    };
  });
}
