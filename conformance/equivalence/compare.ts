// One request through the edge and through the engine, and whether both came to the same. Does I/O through its parts.

import type { CheckRequest } from '../../src/check/request/check-request.ts';
import { HeaderLines } from '../../src/check/request/header-lines.ts';
import type { Answer } from '../../src/check/response/answer.ts';
import type { Transport } from '../../src/generate/envoy/transport.ts';
import { DIFFERENCES } from './differences.ts';
import { type Application, CASE_HEADER, type Received, WHO_HEADER } from './edge.ts';
import { isPlain } from './path.ts';
import type { Request } from './request.ts';
import { type Connections, headerOf, type WireAnswer } from './wire.ts';

/** What both engines are asked through. */
export interface Sides {
  readonly edge: Connections;
  readonly probe: Connections;
  readonly application: Application;
  /** The engine, without Envoy. */
  readonly ask: (request: CheckRequest) => Promise<Answer>;
  /** Names of identity headers, in lower case. */
  readonly identityHeaders: readonly string[];
  readonly transport: Transport;
}

export type By = 'native' | 'open' | 'asked' | 'remembered' | 'refused by Envoy';

export interface Compared {
  readonly reason: string;
  readonly by: By;
  /** What the two differ in: an empty list where they are equal. */
  readonly differences: readonly string[];
  /** The name of a listed difference that was seen. */
  readonly listed: string | undefined;
  /** Whether the edge, asked again, went by what it remembered; undefined where it was not. */
  readonly again: 'remembered' | 'asked' | undefined;
  readonly edge: Outcome;
  readonly engine: Answer;
}

/** What came of a request at the edge. */
interface Outcome {
  readonly answer: WireAnswer;
  /** What reached the application. */
  readonly received: Received | undefined;
  readonly said: Said;
}

/** Who said it, as far as Envoy's own metadata tells. */
interface Said {
  readonly by: 'asked' | 'native' | 'remembered' | undefined;
  readonly reason: string;
  readonly rule: string;
}

let count = 0;

export function bytesOf({ method, host, path, query, lines }: Request, name: string): string {
  const head = [
    `${method} ${path}${query} HTTP/1.1`,
    `host: ${host}`,
    ...lines.map(([key, value]) => `${key}: ${value}`),
  ];
  const length = method === 'GET' || method === 'HEAD' ? [] : ['content-length: 0'];
  return `${[...head, ...length, `${CASE_HEADER}: ${name}`].join('\r\n')}\r\n\r\n`;
}

export async function compare(request: Request, sides: Sides): Promise<Compared> {
  const name = `n${count++}`;
  const path = await normalised(request.path, sides);
  const [answer, engine] = await Promise.all([
    sides.edge.ask(bytesOf(request, name), request.method === 'HEAD'),
    sides.ask(checkOf(request, path ?? request.path)),
  ]);
  const edge = { answer, received: sides.application.take(name), said: saidBy(answer) };
  const differences = differencesOf(request, path, edge, engine, sides);
  const listed = differences.length > 0 ? await explained(request, path, edge, sides) : undefined;
  const second = differences.length === 0 && isYes(edge) ? await askAgain(request, sides) : undefined;
  if (second)
    differences.push(
      ...differencesOf(request, path, second, engine, sides).map((one) => `asked again (${second.said.by}), ${one}`),
    );
  return {
    reason: engine.reason,
    by: isEnvoysOwn(answer) ? 'refused by Envoy' : (edge.said.by ?? (edge.received ? 'open' : 'asked')),
    differences: listed === undefined ? differences : [],
    listed,
    again: second && (second.said.by === 'remembered' ? 'remembered' : 'asked'),
    edge,
    engine,
  };
}

/** One that the authorizer gave, and that the edge cache may have kept. */
function isYes({ said, received }: Outcome): boolean {
  return received !== undefined && said.by === 'asked';
}

async function askAgain(request: Request, sides: Sides): Promise<Outcome> {
  const name = `n${count++}`;
  const answer = await sides.edge.ask(bytesOf(request, name), request.method === 'HEAD');
  return { answer, received: sides.application.take(name), said: saidBy(answer) };
}

/** The path as Envoy passes it on; undefined where it refuses it by itself. */
async function normalised(path: string, { probe, application }: Sides): Promise<string | undefined> {
  if (isPlain(path)) return path;
  const name = `p${count++}`;
  await probe.ask(`GET ${path} HTTP/1.1\r\nhost: probe\r\n${CASE_HEADER}: ${name}\r\n\r\n`);
  return application.take(name)?.target;
}

/** The first listed difference with which the two are equal. */
async function explained(
  request: Request,
  path: string | undefined,
  edge: Outcome,
  sides: Sides,
): Promise<string | undefined> {
  for (const { name, read } of DIFFERENCES) {
    const asRead = { ...request, lines: read(trimmed(request.lines), sides.transport) };
    const engine = await sides.ask(checkOf(asRead, path ?? request.path));
    if (differencesOf(asRead, path, edge, engine, sides).length === 0) return name;
  }
  return undefined;
}

function checkOf({ method, host, query, lines }: Request, path: string): CheckRequest {
  const read = new HeaderLines();
  for (const [name, value] of trimmed(lines)) read.add(name.toLowerCase(), value);
  return read.toRequest(method, host, path + query);
}

/** Blanks around a value are none of it (RFC 9110, section 5.5). */
function trimmed(lines: Request['lines']): Request['lines'] {
  return lines.map(([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, '')] as const);
}

function saidBy(answer: WireAnswer): Said {
  const [asked = '', result = '', policy = '', route = '', rule = ''] = (headerOf(answer, WHO_HEADER) ?? '')
    .split('|')
    .map((part) => (part === '-' ? '' : part));
  if (asked !== '') return { by: 'asked', reason: asked, rule };
  if (result === 'session' || result === 'token') return { by: 'remembered', reason: result, rule };
  return result === 'allowed' ? { by: 'native', reason: policy, rule } : { by: undefined, reason: route, rule };
}

/** HTTP itself was broken, or the path cannot be normalised: Envoy answers before any route. */
function isEnvoysOwn(answer: WireAnswer): boolean {
  const { status } = answer;
  return (
    status === 400 && (headerOf(answer, 'content-type') === 'text/plain' || headerOf(answer, 'content-length') === '0')
  );
}

function differencesOf(
  request: Request,
  path: string | undefined,
  edge: Outcome,
  engine: Answer,
  sides: Sides,
): string[] {
  if (path === undefined || isEnvoysOwn(edge.answer)) {
    if (edge.received || edge.answer.status !== 400)
      return [`Envoy refuses the path, the edge answers ${edge.answer.status}`];
    const broken = path === undefined || request.lines.some(([, value]) => !/^[\t\x20-\x7e]*$/.test(value));
    return broken || engine.reason === 'path_ambiguous' ? [] : ['Envoy refuses, the engine does not'];
  }
  return engine.kind === 'allow'
    ? unlikeYes(engine, edge, path, sides)
    : unlikeNo(engine, edge, request.method === 'HEAD');
}

function unlikeYes(
  engine: Extract<Answer, { kind: 'allow' }>,
  { answer, received, said }: Outcome,
  path: string,
  sides: Sides,
): string[] {
  if (!received) return [`the engine allows (${engine.reason}), the edge answers ${answer.status}`];
  return [
    ...unequal('status', answer.status, 200),
    ...unequal('reason', said.reason, engine.reason),
    ...unequal('rule', said.rule, engine.rule),
    ...unequal('path', received.target.split('?')[0], path),
    ...unequal('identity headers', identityOf(received, sides), identityGiven(engine)),
  ];
}

/** Every header that an application could take for an identity, whatever separators stand in its name. */
function identityOf({ headers }: Received, { identityHeaders }: Sides): string {
  const names = new Set(identityHeaders.map(fold));
  return headers
    .filter(([name]) => names.has(fold(name)))
    .map(([name, value]) => `${name}: ${value}`)
    .sort()
    .join('\n');
}

function identityGiven(engine: Extract<Answer, { kind: 'allow' }>): string {
  return engine.changes.set
    .map(([name, value]) => `${name}: ${value}`)
    .sort()
    .join('\n');
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** Headers of a denial that both must give, as they are. */
const DENIAL_HEADERS = [
  ...['content-type', 'location', 'www-authenticate', 'cache-control', 'retry-after', 'vary'],
  ...['access-control-allow-origin', 'access-control-allow-credentials'],
];

function unlikeNo(
  { denial, reason }: Extract<Answer, { kind: 'deny' }>,
  { answer, received, said }: Outcome,
  isHead: boolean,
): string[] {
  if (received) return [`the engine denies (${reason}), the edge lets it through`];
  return [
    ...unequal('status', answer.status, denial.status),
    // A redirect and an answer to HEAD have no body: there the reason is what the authorizer told Envoy, on a rule's route.
    ...unequal('reason', problemOf(answer)['reason'] ?? (said.reason || reason), reason),
    ...DENIAL_HEADERS.flatMap((name) =>
      // Envoy leaves it out of its own answers to HEAD.
      isHead && name === 'content-type'
        ? []
        : unequal(name, headerOf(answer, name), denial.headers.find(([one]) => one === name)?.[1]),
    ),
  ];
}

function problemOf({ body }: WireAnswer): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function unequal(what: string, edge: unknown, engine: unknown): string[] {
  return edge === engine ? [] : [`${what}: the edge ${JSON.stringify(edge)}, the engine ${JSON.stringify(engine)}`];
}
