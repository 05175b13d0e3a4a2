// An authorizer that says what a test wants, over either transport. Listens on loopback.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  status as grpcStatus,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import {
  CheckRequestSchema,
  CheckResponseSchema,
  type HeaderValueOptionSchema,
} from '../../../src/check/testing/ext_authz_pb.ts';
import type { Transport } from '../../../src/generate/envoy/transport.ts';

/** What the stub authorizer was asked, or what the application received. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  /** Lower-case names, in order, duplicates kept. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
}

type Headers = Readonly<Record<string, string | readonly string[]>>;

/** What an authorizer may do with a check. Headers are HTTP's; over gRPC they stand where that transport has them. */
interface Reply {
  /** No byte of a value is checked. */
  allow(headers: Headers): void;
  deny(status: number, headers: Headers, body: string): void;
  /** Every connection ends. */
  drop(): void;
  /** The beginning of a yes, and then nothing. */
  begin(): void;
  nonsense(): void;
  /** The transport's own word for a failure. */
  fail(): void;
}

export type Answer = (check: Seen, reply: Reply) => void;

export interface StubAuthorizer {
  readonly port: number;
  close(): Promise<void>;
}

export function startStubAuthorizer(transport: Transport, answer: Answer): Promise<StubAuthorizer> {
  return transport === 'http' ? startHttp(answer) : startGrpc(answer);
}

function lines(headers: Headers): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]),
  );
}

async function startHttp(answer: Answer): Promise<StubAuthorizer> {
  const server = createServer((request, response) => {
    void readSeen(request).then((seen) => answer(seen, httpReply(response)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function httpReply(response: ServerResponse): Reply {
  const write = (status: number, headers: Headers, body: string) => {
    const head = [`HTTP/1.1 ${status} X`, ...lines(headers).map(([name, value]) => `${name}: ${value}`)];
    response.socket?.write(
      `${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      'latin1',
    );
    response.socket?.end();
  };
  return {
    allow: (headers) => write(200, headers, ''),
    deny: write,
    drop: () => void response.socket?.destroy(),
    begin: () => void response.writeHead(200, { 'content-length': '9' }).flushHeaders(),
    nonsense: () => void response.socket?.end('nonsense\r\n\r\n'),
    fail: () => write(500, {}, 'stack trace'),
  };
}

const METHOD = '/envoy.service.auth.v3.Authorization/Check';

async function startGrpc(answer: Answer): Promise<StubAuthorizer> {
  const server = new Server({ 'grpc.enable_channelz': 0 });
  const sockets = new Set<Socket>();
  server.register(
    METHOD,
    (call: ServerUnaryCall<Buffer, Uint8Array>, done: sendUnaryData<Uint8Array>) =>
      answer(seenIn(call), grpcReply(sockets, call, done)),
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => bytes,
    'unary',
  );
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    async close() {
      listener.close();
      server.forceShutdown();
    },
  };
}

function grpcReply(
  sockets: ReadonlySet<Socket>,
  call: ServerUnaryCall<Buffer, Uint8Array>,
  done: sendUnaryData<Uint8Array>,
): Reply {
  const send = (message: MessageInitShape<typeof CheckResponseSchema>) =>
    done(null, toBinary(CheckResponseSchema, create(CheckResponseSchema, message)));
  return {
    allow: (headers) => {
      const all = lines(headers);
      const beside = all.filter(([name]) => !/^(?:set-cookie|ory-.*|x-envoy-auth-headers-to-remove)$/.test(name));
      send({
        status: { code: grpcStatus.OK },
        dynamicMetadata: metadataOf(all),
        httpResponse: {
          case: 'okResponse',
          value: {
            headers: beside.map((pair) => option(pair, 2)),
            headersToRemove: all
              .filter(([name]) => name === 'x-envoy-auth-headers-to-remove')
              .flatMap(([, value]) => value.split(',')),
            responseHeadersToAdd: all.filter(([name]) => name === 'set-cookie').map((pair) => option(pair, 0)),
          },
        },
      });
    },
    deny: (status, headers, body) => {
      const all = lines(headers);
      send({
        status: { code: grpcStatus.PERMISSION_DENIED },
        dynamicMetadata: metadataOf(all),
        httpResponse: {
          case: 'deniedResponse',
          value: {
            status: { code: status },
            headers: all.filter(([name]) => !name.startsWith('ory-')).map((pair) => option(pair, 0)),
            body,
          },
        },
      });
    },
    drop: () => {
      for (const socket of sockets) socket.destroy();
    },
    begin: () => call.sendMetadata(call.metadata),
    nonsense: () => done(null, Buffer.from([0x0a, 0xff, 0xff])),
    fail: () => done({ code: grpcStatus.INTERNAL, details: 'stack trace' }),
  };
}

function metadataOf(headers: readonly [string, string][]): Record<string, string> {
  return Object.fromEntries(headers.filter(([name]) => name.startsWith('ory-')));
}

function option(
  [key, value]: [string, string],
  appendAction: number,
): MessageInitShape<typeof HeaderValueOptionSchema> {
  return { header: { key, value }, appendAction };
}

/** Fields of HttpRequest that would hold the body. */
const BODY_FIELDS = [11, 12];

function seenIn({ request, metadata }: ServerUnaryCall<Buffer, Uint8Array>): Seen {
  const http = fromBinary(CheckRequestSchema, request).attributes?.request?.http;
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('latin1');
  const headers = (http?.headerMap?.headers ?? http?.headers ?? []).map(
    ({ key, value, rawValue }): [string, string] => [text(key), text(rawValue) + text(value)],
  );
  const body = (http?.$unknown ?? []).filter(({ no }) => BODY_FIELDS.includes(no)).map(({ data }) => text(data));
  return {
    method: text(http?.method),
    url: text(http?.path),
    // What Envoy itself adds to a check is beside the message.
    headers: [['host', text(http?.host)], ...headers, ...edgeHeaders(metadata)],
    body: body.join(''),
    trailers: {},
  };
}

function edgeHeaders(metadata: Metadata): [string, string][] {
  return Object.entries(metadata.getMap())
    .filter(([name]) => name.startsWith('ory-'))
    .map(([name, value]) => [name, String(value)]);
}

export async function readSeen(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The client went away; what is there is what was seen.
  }
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: headerPairs(request),
    body: Buffer.concat(chunks).toString('latin1'),
    trailers: request.trailers as Record<string, string>,
  };
}

export function headerPairs(request: IncomingMessage): [string, string][] {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    headers.push([(request.rawHeaders[i] ?? '').toLowerCase(), request.rawHeaders[i + 1] ?? '']);
  }
  return headers;
}
