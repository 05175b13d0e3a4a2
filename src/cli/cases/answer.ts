// Which verdict an answer of a running edge stands for. No I/O.
import { isObject } from '../../check/identity/identity.ts';
import { parseObject } from '../../check/identity/ory-answer.ts';
import { PAGE_HEADERS } from '../../check/response/login-loop-page.ts';
import type { HeaderLine } from './case.ts';
import { type AskedFor, type OwnReply, ownReplyOf } from './own-reply.ts';
import { type Answer, decoded, lineOf } from './send.ts';
import type { Outcome, SeenHeaders } from './verdict.ts';

const REASON = /^urn:ory-envoy:reason:([a-z_]{1,64})$/;
const PROBLEM = 'application/problem+json';
/** The cookie that counts how often a browser was sent away: redirects to the login carry it. On a yes it is emptied. */
const LOGIN_COOKIE = /^(?:__Host-)?ory_envoy_login=[^;]/;

/** `identityHeaders`: their names, as configured. */
export function readAnswer(answer: Answer, asked: AskedFor, identityHeaders: readonly string[]): Outcome {
  const { status } = answer;
  const problem = problemOf(answer);
  if (problem) return denied(answer, problem.status, problem.reason);
  if (isSentAway(answer) || (asked.method === 'HEAD' && isBare(answer))) return denied(answer, status);
  const own = ownReplyOf(answer, asked);
  if (own) return outcomeOf(own, answer);
  const note = status >= 400 ? { note: `it passed, and the application answered ${status}` } : {};
  return {
    kind: 'verdict',
    status: 200,
    reason: undefined,
    rule: { kind: 'unseen' },
    headers: echoed(answer, identityHeaders),
    ...note,
  };
}

function denied({ lines }: Answer, status: number, reason?: string, note?: string): Outcome {
  return {
    kind: 'verdict',
    status,
    reason,
    rule: { kind: 'unseen' },
    headers: { identity: undefined, lines },
    ...(note === undefined ? {} : { note }),
  };
}

function outcomeOf(own: OwnReply, answer: Answer): Outcome {
  switch (own.kind) {
    case 'refused': {
      const words = /^[ -~]{1,200}$/.test(own.words) ? `: ${own.words}` : '';
      return denied(answer, own.status, undefined, `Envoy itself refused the request${words}`);
    }
    case 'no_application':
      return {
        kind: 'unjudged',
        problem: `it passed, and the application behind the edge does not answer (${own.status})`,
      };
    case 'unclear':
      return {
        kind: 'unjudged',
        problem: `it cannot be told whether the edge refused it or the application did (${own.status})`,
      };
  }
}

/** To the login, or to the page that explains why not again. */
function isSentAway(answer: Answer): boolean {
  const { status, lines } = answer;
  if (status === 302) return lines.some(([name, value]) => name === 'set-cookie' && LOGIN_COOKIE.test(value));
  return status >= 400 && PAGE_HEADERS.every(([name, value]) => lineOf(answer, name) === value);
}

/** In the body, or of a gRPC call in its message, which Envoy writes percent-encoded. */
function problemOf(answer: Answer): { readonly status: number; readonly reason: string } | undefined {
  const message = lineOf(answer, 'grpc-message');
  if (lineOf(answer, 'content-type') !== PROBLEM && message === undefined) return undefined;
  const problem = parseObject(message === undefined ? answer.body : decoded(message));
  const [, reason] = REASON.exec(String(problem?.['type'])) ?? [];
  if (reason === undefined) return undefined;
  return { status: typeof problem?.['status'] === 'number' ? problem['status'] : answer.status, reason };
}

/** A denial of HEAD has no body to say why, and of the authorizer's Envoy leaves out the type with it; of its own not. */
function isBare(answer: Answer): boolean {
  const type = lineOf(answer, 'content-type');
  const isOurs = type === undefined || type === PROBLEM;
  return isOurs && lineOf(answer, 'cache-control') === 'no-store' && [400, 401, 403, 503].includes(answer.status);
}

/** The demo application of `up` shows what it got. */
function echoed(answer: Answer, identityHeaders: readonly string[]): SeenHeaders | undefined {
  if (lineOf(answer, 'x-ory-envoy-development') === undefined) return undefined;
  const headers = parseObject(answer.body)?.['headers'];
  if (!isObject(headers)) return undefined;
  const wanted = identityHeaders.map((name) => name.toLowerCase());
  return {
    identity: identityHeaders,
    lines: Object.entries(headers).flatMap(([name, value]): HeaderLine[] =>
      wanted.includes(name) ? [[name, String(value)]] : [],
    ),
  };
}
