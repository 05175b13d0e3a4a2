// Which verdict an answer of a running edge stands for. No I/O.
import type { HeaderLine } from './case.ts';
import type { Answer } from './send.ts';
import type { Outcome, SeenHeaders } from './verdict.ts';

const REASON = /^urn:ory-envoy:reason:([a-z_]{1,64})$/;
/** The cookie that counts how often a browser was sent away: redirects to the login carry it, and the page that explains a loop. */
const LOGIN_COOKIE = /^(?:__Host-)?ory_envoy_login=([^;]*)/;
const ENVOYS_OWN = /^(?:upstream connect error|no healthy upstream|upstream request timeout|overflow)/;

/** `identityHeaders`: their names, as configured. */
export function readAnswer(answer: Answer, method: string, identityHeaders: readonly string[]): Outcome {
  const { status, lines, body } = answer;
  const denied = (code: number, reason: string | undefined, note?: string): Outcome => ({
    kind: 'verdict',
    status: code,
    reason,
    rule: undefined,
    headers: { identity: undefined, lines },
    ...(note === undefined ? {} : { note }),
  });
  const problem = problemOf(answer);
  if (problem) return denied(problem.status, problem.reason);
  const cookie = lines.flatMap(([name, value]) => (name === 'set-cookie' ? (LOGIN_COOKIE.exec(value) ?? []) : []))[1];
  if ((status === 302 && cookie) || (status >= 400 && cookie !== undefined)) return denied(status, undefined);
  if (method === 'HEAD' && isBare(answer)) return denied(status, undefined);
  if (isRefusedByEnvoy(answer)) return denied(status, undefined, 'Envoy itself refused the request');
  if (status >= 500 && ENVOYS_OWN.test(body))
    return { kind: 'unjudged', problem: `it passed, and the application behind the edge does not answer (${status})` };
  const note = status >= 400 ? { note: `it passed, and the application answered ${status}` } : {};
  return {
    kind: 'verdict',
    status: 200,
    reason: undefined,
    rule: undefined,
    headers: echoed(answer, identityHeaders),
    ...note,
  };
}

/** In the body, or of a gRPC call in its message, which Envoy writes percent-encoded. */
function problemOf({ status, lines, body }: Answer): { readonly status: number; readonly reason: string } | undefined {
  const message = one(lines, 'grpc-message');
  if (one(lines, 'content-type') !== 'application/problem+json' && message === undefined) return undefined;
  const problem = parse(message === undefined ? body : decoded(message));
  const [, reason] = REASON.exec(String(problem?.['type'])) ?? [];
  if (reason === undefined) return undefined;
  return { status: typeof problem?.['status'] === 'number' ? problem['status'] : status, reason };
}

/** A denial of HEAD has no body to say why, and Envoy leaves out its type with it. */
function isBare({ status, lines }: Answer): boolean {
  const bare = one(lines, 'content-type') === undefined && one(lines, 'cache-control') === 'no-store';
  return bare && [400, 401, 403, 503].includes(status);
}

/** A path that cannot be normalised: 400, and not a word. */
function isRefusedByEnvoy({ status, lines, body }: Answer): boolean {
  return status === 400 && body === '' && one(lines, 'content-type') === undefined;
}

/** The demo application of `up` shows what it got. */
function echoed({ lines, body }: Answer, identityHeaders: readonly string[]): SeenHeaders | undefined {
  if (one(lines, 'x-ory-envoy-development') === undefined) return undefined;
  const headers = parse(body)?.['headers'];
  if (!isObject(headers)) return undefined;
  const wanted = identityHeaders.map((name) => name.toLowerCase());
  return {
    identity: identityHeaders,
    lines: Object.entries(headers).flatMap(([name, value]): HeaderLine[] =>
      wanted.includes(name) ? [[name, String(value)]] : [],
    ),
  };
}

function one(lines: readonly HeaderLine[], wanted: string): string | undefined {
  return lines.find(([name]) => name === wanted)?.[1];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
