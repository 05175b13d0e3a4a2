// The applications of the generated sequences: each says of a request which identity reached it. One is slow at times, fails
// the first try where it will be tried again, and takes WebSockets; one gets copies; one talks gRPC. Listens on loopback.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { until } from '../../until.ts';

/** By this an application knows the tries of one request, and a test its copy. */
export const MARK = 'x-mark';
const COPY_LIMIT_MS = 5_000;

export interface Applications {
  /** As `edge.upstreams` has them. */
  readonly upstreams: Readonly<Record<'app' | 'mirror' | 'grpc', string>>;
  /** What the mirror saw of a request that was let in, in the application's words; once. */
  copyOf(mark: string): Promise<string>;
  /** Copies that nobody has asked for. */
  readonly copies: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** `slowMs`: for one request to `/slow/` after the other. */
export async function startApplications(slowMs: readonly number[]): Promise<Applications> {
  const copies = new Map<string, string>();
  const app = application(slowMs);
  const mirror = createServer((request, response) => {
    const mark = markOf(request);
    const before = copies.get(mark);
    copies.set(mark, before === undefined ? seen(request) : `${before} and again ${seen(request)}`);
    response.end();
  });
  const grpc = createHttp2();
  const sessions = new Set<{ destroy(): void }>();
  grpc.on('session', (session) => void sessions.add(session));
  grpc.on('stream', talk);
  const [appPort, mirrorPort, grpcPort] = [await listening(app), await listening(mirror), await listening(grpc)];
  return {
    upstreams: {
      app: `http://127.0.0.1:${appPort}`,
      mirror: `http://127.0.0.1:${mirrorPort}`,
      grpc: `h2c://127.0.0.1:${grpcPort}`,
    },
    copies,
    async copyOf(mark) {
      await until('the mirror has its copy', () => copies.has(mark), COPY_LIMIT_MS).catch(() => undefined);
      const copy = copies.get(mark) ?? 'no copy';
      copies.delete(mark);
      return copy;
    },
    async close() {
      for (const session of sessions) session.destroy();
      for (const server of [app, mirror]) server.closeAllConnections();
      await Promise.all([app, mirror, grpc].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function application(slowMs: readonly number[]): Server {
  let slow = 0;
  const tries = new Map<string, string>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const mark = markOf(request);
    let body = seen(request);
    if (path.startsWith('/retried/')) {
      const first = tries.get(mark);
      if (first === undefined) {
        tries.set(mark, body);
        response.writeHead(503).end();
        return;
      }
      tries.delete(mark);
      body = retried(first, body);
    }
    const answer = () => {
      response.writeHead(200, { 'content-length': Buffer.byteLength(body), 'ory-status': '503' }).end(body);
    };
    if (path.startsWith('/slow/')) setTimeout(answer, slowMs[slow++ % slowMs.length]);
    else answer();
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy());
    const lines = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: Upgrade'];
    socket.write([...lines, `seen: ${seen(request)}`, '', ''].join('\r\n'));
    socket.pipe(socket);
  });
  return server;
}

/** Trailers alone for `/Fail`; else message by message. */
function talk(stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): void {
  const path = String(headers[':path']);
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  const head = { ':status': 200, 'content-type': 'application/grpc', seen: worded(pairs, path) };
  stream.on('error', () => {});
  if (path.endsWith('/Fail')) {
    stream.respond({ ...head, 'grpc-status': '5' }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.on('data', (data: Buffer) => stream.write(data));
  stream.on('end', () => stream.end());
}

function seen({ rawHeaders, url = '' }: IncomingMessage): string {
  const pairs = rawHeaders.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? '']] : [],
  );
  return worded(pairs, url);
}

const OF_IDENTITY = /^x.user|^ory|edge.key/;

/** Whatever says who it is, or is a word between Envoy and the authorizer. In what order the headers came means nothing. */
function worded(headers: readonly (readonly [string, string])[], url: string): string {
  return JSON.stringify({ url, headers: headers.filter(([name]) => OF_IDENTITY.test(name)).sort() });
}

function retried(first: string, second: string): string {
  return JSON.stringify({ ...(JSON.parse(second) as object), ...(first === second ? { tries: 2 } : { first }) });
}

function markOf({ headers }: IncomingMessage): string {
  return String(headers[MARK]);
}

async function listening(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
