// What a client is told: status, headers and body of a denial, the same on every transport. No I/O.
import { randomUUID } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import { DENIALS } from '../reason.ts';
import type { CheckRequest } from '../request/check-request.ts';
import type { Deny } from '../verdict.ts';
import { bearerChallenge } from './bearer-challenge.ts';
import { corsHeaders } from './cors.ts';
import type { HeaderPair } from './identity-headers.ts';
import { bounce } from './login-loop.ts';
import { loginLoopPage, PAGE_HEADERS } from './login-loop-page.ts';
import { detourOf, remedyOf } from './navigation.ts';

export interface Denial {
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly body: string;
  /** Whether the login led back here in circles: worth a line in the log. */
  readonly loginLoop: boolean;
}

const MAX_RETRY_AFTER_SECONDS = 60;

export function denialOf(verdict: Deny, request: CheckRequest, config: Config, nowMs: number): Denial {
  const detour = detourOf(verdict, request, config);
  return detour !== undefined ? awayTo(detour, verdict, request, config, nowMs) : problem(verdict, request, config);
}

/** To the login, anew or to its second factor, unless that has led back here too often. */
function awayTo(url: string, { reason, rule }: Deny, request: CheckRequest, config: Config, nowMs: number): Denial {
  const { kind, setCookie } = bounce(request, url, config.edge.publicUrl, nowMs);
  if (kind === 'send') {
    const headers: HeaderPair[] = [
      ['location', url],
      ['cache-control', 'no-store'],
      ['set-cookie', setCookie],
    ];
    return { status: 302, headers, body: '', loginLoop: false };
  }
  return {
    status: DENIALS[reason].status,
    headers: [...PAGE_HEADERS, ['set-cookie', setCookie]],
    body: loginLoopPage({ reason, rule, loginUrl: url, requestId: requestId(request) }, config),
    loginLoop: true,
  };
}

function problem(verdict: Deny, request: CheckRequest, config: Config): Denial {
  const { status, title } = DENIALS[verdict.reason];
  const headers: HeaderPair[] = [
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
    ...corsHeaders(verdict.rule, request),
  ];
  if (status === 503)
    headers.push([
      'retry-after',
      String(Math.min(Math.max(verdict.retryAfterSeconds ?? 1, 1), MAX_RETRY_AFTER_SECONDS)),
    ]);
  const challenge = bearerChallenge(verdict, config);
  if (challenge !== undefined) headers.push(['www-authenticate', challenge]);
  const type = `urn:ory-envoy:reason:${verdict.reason}`;
  const remedy = remedyOf(verdict, config);
  return {
    status,
    headers,
    body: JSON.stringify({
      type,
      title,
      status,
      reason: verdict.reason,
      request_id: requestId(request),
      // Kratos's own word, as an extension member (RFC 9457, section 3.2), for clients that lead a person there.
      ...(remedy === undefined ? {} : { redirect_browser_to: remedy }),
    }),
    loginLoop: false,
  };
}

/** Envoy's, where it looks like one; it is written into answers and logs. */
function requestId(request: CheckRequest): string {
  const id = request.requestId;
  return id !== undefined && /^[\w-]{1,64}$/.test(id) ? id : randomUUID();
}
