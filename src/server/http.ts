// ext_authz over HTTP, on node:http without a framework: the hot path. Listens on a socket.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Check } from '../check/check.ts';
import type { Log } from '../check/log.ts';
import { readHttpCheck } from '../check/request/http.ts';
import type { WriteHttp } from '../check/response/http.ts';
import { WIRE } from '../check/wire.ts';
import type { Address } from '../config/config.ts';
import { listen } from './listen.ts';

export interface HttpListener {
  /** As bound: port 0 has become a real one. */
  readonly address: Address;
  /** Takes no new connection, answers what is under way, ends the rest after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Above what Envoy passes on (60 KiB by default), so that Envoy's limit is the one that is met. */
const MAX_HEADER_BYTES = 96 * 1024;
/** Much longer than the generated Envoy keeps an idle connection (4 s), so that it never sends into one that we close. */
const KEEP_ALIVE_MS = 90_000;
const MAX_CONNECTIONS = 20_000;

/** One policy: its verdicts, and how they are written. */
interface HttpJudge {
  readonly check: Check;
  readonly writeHttp: WriteHttp;
}

export interface HttpParts {
  /** By the policy that the check names; asked anew for each, so that policies may change under an open listener. */
  readonly judge: (policy: string | undefined) => HttpJudge;
  readonly log: Log;
  /** A client that is slower to send a request is cut off; default 10 s. */
  readonly requestMs?: number;
}

/** @throws the listen error of node:net, such as EADDRINUSE. */
export async function listenHttp(address: Address, parts: HttpParts): Promise<HttpListener> {
  const { requestMs = 10_000 } = parts;
  let closing = false;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: requestMs / 5,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    },
    (message, response) => {
      response.sendDate = false;
      void answer(message, response, parts, () => closing);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  // Node would leave out what comes after the 2,000th header, a second credential too. Bytes are bounded above.
  server.maxHeadersCount = 0;
  server.on('connect', refuseConnect);
  const bound = await listen(server, address);
  return {
    address: bound,
    async close(graceMs) {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const force = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(force);
    },
  };
}

/** Never rejects: what cannot be answered is a connection that ends, which Envoy takes for a no. */
async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  { judge, log }: HttpParts,
  isClosing: () => boolean,
): Promise<void> {
  try {
    const httpCheck = readHttpCheck(message);
    // Whoever sends a body is answered and disconnected, so that nothing unread waits here.
    if (httpCheck.hasBody) response.shouldKeepAlive = false;
    const { check, writeHttp } = judge(httpCheck.request.policy);
    const verdict = await check(httpCheck.request);
    if (response.destroyed) return;
    // A connection that lived on would hold up the close.
    if (isClosing()) response.shouldKeepAlive = false;
    writeHttp(response, httpCheck, verdict);
  } catch (error) {
    response.destroy();
    log.error({ err: { name: error instanceof Error ? error.name : typeof error } }, 'an answer could not be written');
  }
}

/** CONNECT has no path to judge: denied before any tunnel. */
function refuseConnect(_message: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 400 Bad Request\r\n${WIRE.reason}: path_ambiguous\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
  );
}
