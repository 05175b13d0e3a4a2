// A real Envoy with a generated bootstrap between a client, a stub authorizer and echoing applications. Opens ports.
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import type { Transport } from '../../src/generate/envoy/transport.ts';
import {
  type Answer,
  headerPairs,
  readSeen,
  type Seen,
  type StubAuthorizer,
  startStubAuthorizer,
} from './rig/stub-authorizer.ts';

export type { Answer, Seen };

export function headerOf(seen: Pick<Seen, 'headers'>, name: string): string[] {
  return seen.headers.filter(([key]) => key === name).map(([, value]) => value);
}

export interface Rig {
  readonly envoy: RunningEnvoy;
  readonly port: number;
  /** Every check so far. */
  readonly checks: Seen[];
  /** Every request that an application received so far. */
  readonly received: Seen[];
  readonly accessLog: Readonly<Record<string, unknown>>[];
  readonly log: string[];
  answer: Answer;
  readonly authorizer: StubAuthorizer;
  readonly applicationPorts: readonly number[];
  close(): Promise<void>;
}

export interface RigOptions {
  /** `rules:` and whatever else stands at the top level, as YAML. */
  readonly config: string;
  /** More lines under `edge:`. */
  readonly edge?: string;
  readonly upstreams?: readonly string[];
  readonly answer?: Answer;
  /** How Envoy asks the authorizer; default HTTP. */
  readonly transport?: Transport;
  readonly caFile?: string;
  /** A last hand on the generated bootstrap, to see inside. */
  readonly patch?: (yaml: string) => string;
  /** The `ory:` section; default an address where nobody is. */
  readonly ory?: string;
  /** Instead of the authorizer of this rig, as Envoy reaches it; from the port of that. */
  readonly authorizerUrl?: (port: number) => Promise<string>;
  /** Instead of an `http://127.0.0.1:port` of this rig, by name. */
  readonly upstreamUrls?: Readonly<Record<string, string>>;
}

export const allow =
  (headers: Record<string, string | string[]> = {}): Answer =>
  (_, reply) =>
    reply.allow({ 'ory-reason': 'session', ...headers });

export const deny =
  (status: number, headers: Record<string, string | string[]> = {}, body = ''): Answer =>
  (_, reply) =>
    reply.deny(status, headers, body);

export async function startRig(options: RigOptions): Promise<Rig> {
  const found = await findEnvoy();
  const rig = {
    checks: [] as Seen[],
    received: [] as Seen[],
    accessLog: [] as Record<string, unknown>[],
    log: [] as string[],
    answer: options.answer ?? allow(),
  };
  const { transport = 'http' } = options;
  const authorizer = await startStubAuthorizer(transport, (seen, reply) => {
    rig.checks.push(seen);
    rig.answer(seen, reply);
  });
  const servers: Server[] = [];
  const upstreams: string[] = [];
  for (const name of options.upstreams ?? ['app']) {
    const given = options.upstreamUrls?.[name];
    if (given === undefined) {
      const application = echo(name, rig.received);
      servers.push(application);
      await listen(application);
    }
    upstreams.push(`${name}: ${given ?? `http://127.0.0.1:${portOf(servers.at(-1))}`}`);
  }
  const authorizerUrl = await (options.authorizerUrl?.(authorizer.port) ?? `http://127.0.0.1:${authorizer.port}`);
  const config = parseConfig(
    `${options.ory ?? 'ory: { url: http://127.0.0.1:1, timeout: 1s }'}
${options.config}
edge:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  authorizer: ${authorizerUrl}
  upstreams: { ${upstreams.join(', ')} }
${options.edge ?? ''}
serve: { grpc: "127.0.0.1:${new URL(authorizerUrl).port}" }
`,
    'rig.yaml',
    { env: {} },
  );
  const yaml = generateEnvoy(config, {
    part: 'bootstrap',
    transport,
    ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
  });
  const envoy = await startEnvoy({
    path: found.path,
    config: options.patch?.(yaml) ?? yaml,
    concurrency: 1,
    onLog: (line) => rig.log.push(line),
    onAccessLog: (line) => rig.accessLog.push(JSON.parse(line)),
  });
  return Object.assign(rig, {
    envoy,
    port: envoy.listenPort,
    authorizer,
    applicationPorts: servers.map(portOf),
    close: async () => {
      await envoy.stop();
      await Promise.all([authorizer.close(), ...servers.map(closeServer)]);
    },
  });
}

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

export function portOf(server: { address(): AddressInfo | string | null } | undefined): number {
  const address = server?.address();
  if (typeof address !== 'object' || !address) throw new Error('the server does not listen');
  return address.port;
}

/** Answers with what it received, as JSON, and speaks WebSocket as far as an echo needs it. */
function echo(name: string, received: Seen[]): Server {
  const server = createServer((request, response) => {
    void readSeen(request).then((seen) => {
      received.push(seen);
      response.setHeader('content-type', 'application/json');
      response.setHeader('x-application', name);
      if (seen.url.startsWith('/app-outage')) response.setHeader('ory-status', '503').statusCode = 403;
      response.end(JSON.stringify(seen));
    });
  });
  server.on('upgrade', (request, socket) => {
    received.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: headerPairs(request),
      body: '',
      trailers: {},
    });
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  return server;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Sends bytes as they are, on a connection of its own, and reads one answer. */
export function sendRaw(port: number, bytes: string | Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const head = bytes.toString('latin1').startsWith('HEAD ');
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(20_000, () => socket.destroy(new Error('no end of the answer within 20 s')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (isWhole(Buffer.concat(chunks).toString('latin1'), head)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(parseAnswer(Buffer.concat(chunks).toString('latin1'))));
  });
}

/** Envoy waits a second for the client to close after it refused a message. */
function isWhole(text: string, head: boolean): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  if (head) return true;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1];
  return length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= end + 4 + Number(length);
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end < 0 ? undefined : end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const body = end < 0 ? '' : text.slice(end + 4);
  const chunked = headers.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked');
  return { status: Number(first.split(' ')[1] ?? 0), headers, body: chunked ? dechunk(body) : body };
}

function dechunk(body: string): string {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const line = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, line), 16);
    if (!(size > 0)) break;
    out += body.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
  return out;
}

/** A GET over a connection of its own. */
export function get(
  port: number,
  path: string,
  headers: readonly string[] = [],
  host = 'localhost',
): Promise<RawAnswer> {
  const lines = [`GET ${path} HTTP/1.1`, `host: ${host}`, 'connection: close', ...headers, '', ''];
  return sendRaw(port, Buffer.from(lines.join('\r\n'), 'latin1'));
}

/** What the application received, from the echo's answer. */
export function echoed(answer: RawAnswer): Seen {
  return JSON.parse(answer.body) as Seen;
}
