// Sessions, as Ory Kratos judges them: GET /sessions/whoami with one credential, alone.
// https://www.ory.sh/docs/reference/api#tag/frontend/operation/toSession
import type { Clock } from '../clock.ts';
import type { Credential } from '../credential/credential.ts';
import type { ThrottledLog } from '../log.ts';
import { type Identity, isObject, type JsonObject, rejected, type Verification, type Verifier } from './identity.ts';
import { outageAt, parseObject, retryAfter } from './ory-answer.ts';
import type { OryAnswer, OryClient } from './ory-client.ts';

export interface KratosOptions {
  /** Kratos's public API, without a trailing slash. */
  readonly kratosUrl: string;
  /** What of a session is kept ({@link createKeep}). */
  readonly keep: (session: JsonObject) => JsonObject;
  readonly client: Pick<OryClient, 'get'>;
  readonly clock: Clock;
  readonly log: ThrottledLog;
}

/** Verifies `session_cookie` and `session_token`. */
export function createKratosVerifier({ kratosUrl, keep, client, clock, log }: KratosOptions): Verifier {
  const endpoint = `${kratosUrl}/sessions/whoami`;
  const outage = outageAt(endpoint, log, 'Kratos gave no usable answer');
  return {
    async verify(credential) {
      const answer = await client.get(endpoint, header(credential));
      if (answer.kind === 'none') return outage('ory_unreachable', answer.cause);
      switch (answer.status) {
        case 200:
          return (
            accepted(answer, keep, clock()) ??
            outage('ory_error', 'whoami answered 200 with something that is not a session')
          );
        case 401:
          return { kind: 'rejected', reason: 'session_invalid', ory: true };
        case 403:
          // Not remembered: the next thing that the user does is to give the second factor.
          return isAalRequired(answer)
            ? { kind: 'rejected', reason: 'aal_insufficient', ory: false, ...remedyOf(answer) }
            : outage('ory_error', 'status 403 without session_aal2_required');
        case 429:
          return outage('ory_rate_limited', 'status 429', retryAfter(answer));
        default:
          return outage('ory_error', `status ${answer.status}`);
      }
    },
    stillTrusted: () => true,
  };
}

function header(credential: Credential): Record<string, string> {
  return credential.kind === 'session_cookie' ? { cookie: credential.value } : { 'x-session-token': credential.value };
}

/** Undefined where the answer is not a session at all. */
function accepted(answer: OryAnswer, keep: KratosOptions['keep'], nowMs: number): Verification | undefined {
  const session = parseObject(answer.body);
  if (!session || typeof session['id'] !== 'string' || typeof session['active'] !== 'boolean') return undefined;
  const expiresAtMs = timestamp(session['expires_at']);
  const identity = session['identity'];
  if (expiresAtMs === 'garbage' || (identity !== undefined && identity !== null && !isIdentity(identity)))
    return undefined;
  const alive = session['active'] && (expiresAtMs === undefined || expiresAtMs > nowMs);
  if (!alive || !isObject(identity) || (identity['state'] ?? 'active') !== 'active') return rejected('session_invalid');
  return {
    kind: 'verified',
    identity: { kind: 'session', session: keep(session), expiresAtMs } satisfies Identity,
    cacheForMs: cacheFor(answer),
    setCookie: answer.header('set-cookie'),
  };
}

function isIdentity(value: unknown): boolean {
  return isObject(value) && typeof value['id'] === 'string' && value['id'] !== '';
}

function timestamp(value: unknown): number | undefined | 'garbage' {
  if (value === undefined || value === null) return undefined;
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? 'garbage' : ms;
}

/** `Ory-Session-Cache-For`, in whole seconds; only with `feature_flags.cacheable_sessions`. */
function cacheFor(answer: OryAnswer): number | undefined {
  const [text] = answer.header('ory-session-cache-for');
  if (text === undefined) return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : 0;
}

function isAalRequired(answer: OryAnswer): boolean {
  const error = parseObject(answer.body)?.['error'];
  return isObject(error) && error['id'] === 'session_aal2_required';
}

/** `redirect_browser_to`, without a `return_to`: where the second factor is given. */
function remedyOf(answer: OryAnswer): { remedyUrl?: string } {
  const url = parseObject(answer.body)?.['redirect_browser_to'];
  return typeof url === 'string' && /^https?:\/\/[\x21-\x7e]+$/.test(url) && URL.canParse(url)
    ? { remedyUrl: url }
    : {};
}
