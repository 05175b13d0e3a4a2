// What a client is told: status, headers and body of a denial, the same on every transport. No I/O.
import { randomUUID } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import { DENIALS } from '../reason.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { Deny } from '../verdict.ts';
import type { HeaderPair } from './identity-headers.ts';

export interface Denial {
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly body: string;
}

const MAX_RETRY_AFTER_SECONDS = 60;

export function denialOf(verdict: Deny, request: CheckRequest, config: Config): Denial {
  const redirect = redirectTo(verdict, request, config);
  if (redirect !== undefined) {
    return {
      status: 302,
      headers: [
        ['location', redirect],
        ['cache-control', 'no-store'],
      ],
      body: '',
    };
  }
  const { status, title } = DENIALS[verdict.reason];
  const headers: HeaderPair[] = [
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ];
  if (status === 503)
    headers.push([
      'retry-after',
      String(Math.min(Math.max(verdict.retryAfterSeconds ?? 1, 1), MAX_RETRY_AFTER_SECONDS)),
    ]);
  const challenge = status === 401 ? bearerChallenge(verdict, config) : undefined;
  if (challenge !== undefined) headers.push(['www-authenticate', challenge]);
  const type = `urn:ory-envoy:reason:${verdict.reason}`;
  return {
    status,
    headers,
    body: JSON.stringify({ type, title, status, reason: verdict.reason, request_id: requestId(request) }),
  };
}

/** RFC 6750, section 3: the error is named only where a token was presented. */
function bearerChallenge(verdict: Deny, config: Config): string | undefined {
  const access = verdict.rule?.access;
  if (access?.kind !== 'require' || !access.anyOf.some((one) => one.kind === 'token')) return undefined;
  const realm = `Bearer realm="${config.edge.publicUrl}"`;
  if (!verdict.reason.startsWith('token_')) return realm;
  return `${realm}, error="invalid_token", error_description="${DENIALS[verdict.reason].title}"`;
}

/** The login page, for a navigation on a rule that redirects. `return_to` is always on the edge's own origin. */
function redirectTo(verdict: Deny, request: CheckRequest, config: Config): string | undefined {
  if (DENIALS[verdict.reason].status !== 401 || verdict.rule?.unauthenticated !== 'redirect') return undefined;
  if (config.loginUrl === undefined || !isNavigation(request)) return undefined;
  const target = `${config.edge.publicUrl}${request.path}${request.query}`.replace(/[^\x21-\x7e]/g, escapeByte);
  return `${config.loginUrl}${config.loginUrl.includes('?') ? '&' : '?'}return_to=${encodeURIComponent(target)}`;
}

function escapeByte(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** A person following a link: GET, wants HTML, and no mark of a script's request. */
function isNavigation(request: CheckRequest): boolean {
  if (request.method !== 'GET' || !acceptsHtml(request.accept)) return false;
  if (request.requestedWith !== undefined) return false;
  return (
    (request.secFetchMode ?? 'navigate') === 'navigate' &&
    ['document', 'iframe', 'frame'].includes(request.secFetchDest ?? 'document')
  );
}

function acceptsHtml(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') ?? false;
}

/** Envoy's, where it looks like one; it is written into answers and logs. */
function requestId(request: CheckRequest): string {
  const id = request.requestId;
  return id !== undefined && /^[\w-]{1,64}$/.test(id) ? id : randomUUID();
}
