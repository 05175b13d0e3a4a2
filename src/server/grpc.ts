// ext_authz over gRPC, with the standard health service beside it. Listens on a socket.

import { createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Check } from '../check/check.ts';
import type { Log } from '../check/log.ts';
import { readGrpcCheck } from '../check/request/grpc.ts';
import type { WriteGrpc } from '../check/response/grpc.ts';
import { WIRE } from '../check/wire.ts';
import type { Address } from '../config/config.ts';
import { listen } from './listen.ts';

export interface GrpcListener {
  /** As bound: port 0 has become a real one. */
  readonly address: Address;
  /** From now on gRPC health says NOT_SERVING; checks are answered as before. */
  notServing(): void;
  /** Takes no new connection, answers what is under way, ends the rest after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** One policy: its verdicts, and how they are written. */
interface GrpcJudge {
  readonly check: Check;
  readonly writeGrpc: WriteGrpc;
}

export interface GrpcParts {
  /** Asked anew for each check, so that the policy may change under an open listener. */
  readonly judge: () => GrpcJudge;
  readonly log: Log;
}

const SERVICE = 'envoy.service.auth.v3.Authorization';
/** A check has no body: at most 60 KiB of headers from the generated Envoy, the path once more, and metadata that is not read. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** On one connection; Envoy opens another where it needs more. */
const MAX_STREAMS = 1_000;
const MAX_CONNECTIONS = 20_000;
/** A peer that is silent for so long is asked, and let go when it does not answer. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_ANSWER_MS = 20_000;

/** @throws the listen error of node:net, such as EADDRINUSE. */
export async function listenGrpc(address: Address, parts: GrpcParts): Promise<GrpcListener> {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS,
    'grpc.enable_channelz': 0,
  });
  // Bytes in, bytes out: what stands in them is read and written by check/, and read inside of the try below.
  server.register(
    `/${SERVICE}/Check`,
    (call: ServerUnaryCall<Buffer, Uint8Array>, done: sendUnaryData<Uint8Array>) => void answer(call, done, parts),
    (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    (bytes: Buffer) => bytes,
    'unary',
  );
  const health = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });
  health.addToServer(server);
  const notServing = () => {
    for (const service of ['', SERVICE]) health.setStatus(service, 'NOT_SERVING');
  };

  // The library would listen by itself, without a bound on connections, and with errors that have lost their codes.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.maxConnections = MAX_CONNECTIONS;
  const bound = await listen(listener, address);
  return {
    address: bound,
    notServing,
    async close(graceMs) {
      notServing();
      const unbound = new Promise<void>((resolve) => listener.close(() => resolve()));
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const force = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await Promise.all([unbound, drained]);
      clearTimeout(force);
    },
  };
}

/** Never rejects: what cannot be answered is a gRPC error, which Envoy takes for a no. */
async function answer(
  call: ServerUnaryCall<Buffer, Uint8Array>,
  done: sendUnaryData<Uint8Array>,
  { judge, log }: GrpcParts,
): Promise<void> {
  try {
    const request = readGrpcCheck(call.request, call.metadata.get(WIRE.jwtFailure)[0]?.toString());
    const { check, writeGrpc } = judge();
    const verdict = await check(request);
    if (call.cancelled) return;
    done(null, writeGrpc(request, verdict));
  } catch (error) {
    log.error({ err: { name: error instanceof Error ? error.name : typeof error } }, 'a check could not be answered');
    done({ code: status.INTERNAL, details: 'the check could not be answered' });
  }
}
