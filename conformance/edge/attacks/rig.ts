// What the attacks share: one policy with weak and strong rules, edges of it over both transports, requests as bytes, and
// what came of them in one line. Opens loopback connections.
import type { Transport } from '../../../src/generate/envoy/transport.ts';
import { type Lines, type Protocol, send, sendRaw } from '../rig/client.ts';
import type { Edge, EdgeFile } from '../rig/edge.ts';
import { startEdges } from '../rig/transports.ts';
import { type ScriptedOry, startScriptedOry } from './scripted-ory.ts';

const AUDIENCE = 'https://api.test';
export const PAGE = 'https://spa.test';
export const LOGIN_URL = 'https://login.test/self-service/login/browser';

/** Weak rules first and beside strong ones, so that a path that is read twice would reach one. */
function policy(ory: ScriptedOry): EdgeFile {
  const anySession = { session: {} };
  return {
    ory: {
      kratos: { public_url: ory.url },
      hydra: { public_url: ory.url, issuer: ory.issuer },
      login_url: LOGIN_URL,
      timeout: '1s',
    },
    tokens: { audiences: [AUDIENCE], clock_skew: '0s' },
    identity_headers: {
      'X-User-Id': ['session.identity.id', 'token.sub'],
      'X-User-Traits': ['session.identity.traits', 'token.ext'],
    },
    rules: [
      { name: 'admin-host', match: { host: 'admin.test', path: '/**' }, upstream: 'second', require: anySession },
      { name: 'public', match: { path: '/public/**' }, allow: 'anyone' },
      { name: 'home', match: { path: '/home' }, allow: 'anyone', identify: true },
      { name: 'read', match: { path: '/doc/**', methods: ['GET', 'HEAD'] }, allow: 'anyone' },
      { name: 'write', match: { path: '/doc/**' }, require: anySession },
      { name: 'admin', match: { path: '/admin/**' }, require: anySession },
      { name: 'web', match: { path: '/web/**' }, require: anySession, unauthenticated: 'redirect' },
      { name: 'spa', match: { path: '/spa/**' }, require: anySession, cors: { origins: [PAGE] } },
      { name: 'second', match: { path: '/second/**' }, require: { session: { aal: 'aal2' } } },
      { name: 'recent', match: { path: '/recent/**' }, require: { session: { max_age: '1m' } } },
      { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
      { name: 'other', match: { path: '/other/**' }, require: { token: { audiences: ['https://other.test'] } } },
      { name: 'scoped', match: { path: '/scoped/**' }, require: { token: { scopes: ['read', 'admin'] } } },
      {
        name: 'claimed',
        match: { path: '/claimed/**' },
        require: { token: { claims: { 'ext.tenant': 1, 'ext.role': 'admin' } } },
      },
      {
        name: 'proto',
        match: { path: '/proto/**' },
        require: { token: { claims: { 'ext.constructor.name': 'Object' } } },
      },
      { name: 'mixed', match: { path: '/mixed/**' }, require: { any_of: [anySession, { token: {} }] } },
      {
        name: 'turned',
        match: { path: '/turned/**' },
        require: { any_of: [{ token: {} }, { session: { aal: 'aal2' } }] },
      },
    ],
  };
}

/** The policy as a file, for an edge beside those of {@link startAttacked}. */
export function fileFor(ory: ScriptedOry, change: EdgeFile = {}): EdgeFile {
  return { ...policy(ory), ...change };
}

export interface Attacked {
  readonly ory: ScriptedOry;
  readonly edges: Readonly<Record<Transport, Edge>>;
  close(): Promise<void>;
}

/** `change` replaces sections of the policy. */
export async function startAttacked(change: EdgeFile = {}, known?: ScriptedOry): Promise<Attacked> {
  const ory = known ?? (await startScriptedOry());
  const edges = await startEdges(() => fileFor(ory, change));
  return {
    ory,
    edges,
    async close() {
      await edges.close();
      await ory.close();
    },
  };
}

/**
 * `200 ada /admin/x` for what reached the application, with who it says it is and what was asked; else the status and the
 * reason, as far as there is one.
 */
export async function outcome(
  edge: Pick<Edge, 'url'>,
  protocol: Protocol,
  path: string,
  headers: Lines = [],
  method = 'GET',
): Promise<string> {
  const answer = await send(edge.url, protocol, { path, headers, method });
  return said(answer.status, answer.body);
}

/** The bytes as they are, on a connection of their own; one outcome for each answer. A connection that ends is none. */
export async function rawOutcomes(edge: Pick<Edge, 'url'>, bytes: string): Promise<string[]> {
  const answers = await rawAnswers(edge, bytes);
  return answers.map(({ status, body }) => said(status, body));
}

/** One request of these lines; a connection that ends without an answer is `refused`. */
export async function rawOutcome(
  edge: Pick<Edge, 'url'>,
  requestLine: string,
  ...lines: readonly string[]
): Promise<string> {
  return (await rawOutcomes(edge, rawRequest(requestLine, lines)))[0] ?? 'refused';
}

/** Closes its connection, and names `app.test` where the lines name no host. */
export function rawRequest(requestLine: string, lines: readonly string[]): string {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['host: app.test'];
  return [requestLine, ...host, 'connection: close', ...lines, '', ''].join('\r\n');
}

export interface RawAnswer {
  readonly status: number;
  /** Status line and header lines, as they came. */
  readonly head: string;
  readonly body: string;
}

export async function rawAnswers(edge: Pick<Edge, 'url'>, bytes: string): Promise<RawAnswer[]> {
  // Envoy waits a second for the client to close after it refused a message.
  const ended = { test: (text: string) => /\nconnection: close\r\n/i.test(answersIn(text).at(-1)?.head ?? '') };
  return answersIn(await sendRaw(edge.url, bytes, ended).catch(() => ''));
}

/** The whole answers in what came; `100 Continue` is none. */
function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n\r\n', at) + 4;
    if (end < 4) break;
    const head = text.slice(at, end);
    const length = Number(/\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0);
    if (text.length < end + length) break;
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
    if (status !== 100) answers.push({ status, head, body: text.slice(end, end + length) });
    at = end + length;
  }
  return answers;
}

/** What came of an answer, in one line. */
export function said(status: number, body: string): string {
  const reason = /"reason":\s*"(\w+)"/.exec(body)?.[1];
  if (status !== 200) return reason === undefined ? String(status) : `${status} ${reason}`;
  const user = /\["x-user-id","([^"]*)"\]/.exec(body)?.[1] ?? 'nobody';
  return `200 ${user} ${/"url":"([^"]*)"/.exec(body)?.[1] ?? ''}`.trim();
}
