// What Envoy answers by itself: neither the authorizer nor the application was asked. As the generated configuration has
// Envoy 1.40 say it. No I/O.
import { METHODS } from 'node:http';
import type { CaseRequest } from './case.ts';
import { type Answer, decoded, lineOf } from './send.ts';

export type OwnReply =
  /** `words`: empty where there are none. */
  | { readonly kind: 'refused'; readonly status: number; readonly words: string }
  | { readonly kind: 'no_application'; readonly status: number }
  /** It may as well be the application's. */
  | { readonly kind: 'unclear'; readonly status: number };

export type AskedFor = Pick<CaseRequest, 'method' | 'host' | 'target'>;

const NO_APPLICATION = /^(?:upstream connect error|no healthy upstream|upstream request timeout|overflow)/;
/** What a status has become in a gRPC call. */
const HTTP_STATUS: Readonly<Record<string, number>> = { 7: 403, 13: 400, 14: 503, 16: 401 };

/** An answer as it would be had it not been a gRPC call. */
interface Reply {
  readonly status: number;
  readonly words: string;
  /** Which the generated configuration adds to every error of Envoy's own. */
  readonly noStore: boolean;
}

/** Undefined where the answer is not Envoy's own. */
export function ownReplyOf(answer: Answer, asked: AskedFor): OwnReply | undefined {
  const reply = replyOf(answer);
  if (reply === undefined) return undefined;
  const { status, words, noStore } = reply;
  const isHead = asked.method === 'HEAD';
  const says = (sentence: string) =>
    isHead ? lineOf(answer, 'content-length') === String(sentence.length) : words === sentence;
  // A sidecar of the application's speaks the same words, and knows nothing of the header.
  const own: OwnReply = noStore ? { kind: 'refused', status, words } : { kind: 'unclear', status };
  if (NO_APPLICATION.test(words) && status >= 500) return { kind: 'no_application', status };
  if (status === 403 && says('RBAC: access denied')) return own;
  if ((status === 401 || status === 403) && isChallenge(answer, asked)) return own;
  if (status === 400 && words === '' && isNull(asked)) return { kind: 'refused', status, words };
  if (!noStore) return undefined;
  if (isHead && (status === 503 || status === 504)) return { kind: 'no_application', status };
  if (status === 431 && says('Request Header Fields Too Large')) return own;
  if (status !== 400 || !(words === '' || says('Bad Request'))) return undefined;
  return isUnreadable(asked) ? own : { kind: 'unclear', status };
}

/** Undefined where the answer does not look like one of Envoy's own: plain text, or nothing at all. */
function replyOf(answer: Answer): Reply | undefined {
  const { status, body } = answer;
  const type = lineOf(answer, 'content-type');
  const noStore = lineOf(answer, 'cache-control') === 'no-store';
  const code = lineOf(answer, 'grpc-status');
  if (code === undefined)
    return type === 'text/plain' || (type === undefined && body === '') ? { status, words: body, noStore } : undefined;
  const meant = HTTP_STATUS[code];
  // A gRPC application says nothing of caches.
  if (meant === undefined || !noStore) return undefined;
  return { status: meant, words: decoded(lineOf(answer, 'grpc-message') ?? ''), noStore };
}

/** A path that cannot be normalised is refused without a word. */
function isNull({ target }: AskedFor): boolean {
  return target.split('?', 1)[0]?.includes('%00') === true;
}

/** Of what a case can send, that which Envoy reads no request in. */
function isUnreadable({ method, host, target }: AskedFor): boolean {
  return !METHODS.includes(method) || /[^!-~]/.test(host + target);
}

/** jwt_authn names what was asked for as the realm (RFC 6750, section 3). */
function isChallenge(answer: Answer, { host }: AskedFor): boolean {
  const realm = /^Bearer realm="https?:\/\/([^/"]*)\//.exec(lineOf(answer, 'www-authenticate') ?? '')?.[1];
  return realm !== undefined && withoutPort(realm) === withoutPort(host);
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}
