// The admin port: health, for orchestrators, and revocations. Listens on a socket of its own, apart from the data path.
import { createServer, type IncomingMessage } from 'node:http';
import type { Address } from '../config/config.ts';
import { listen } from '../server/listen.ts';
import { type AdminAnswer, createRevoke, type RevokeParts } from './revoke.ts';

export interface AdminListener {
  readonly address: Address;
  close(): Promise<void>;
}

export interface AdminParts {
  readonly ready: () => boolean;
  readonly revoke: RevokeParts;
  /** A client that is slower to send a request is cut off; default 5 s. */
  readonly requestMs?: number;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 1_000;

/**
 * Serves `/health/alive` (200 while the process runs), `/health/ready` (200, or 503 while `ready()` is false) and
 * `POST /revoke`. @throws the listen error of node:net, such as EADDRINUSE.
 */
export async function listenAdmin(address: Address, parts: AdminParts): Promise<AdminListener> {
  const { ready, requestMs = 5_000 } = parts;
  const revoke = createRevoke(parts.revoke);
  const answerTo = async (request: IncomingMessage): Promise<AdminAnswer> => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    return path === '/revoke' ? await revoke(request) : health(request.method ?? '', path, ready);
  };
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: requestMs / 5,
    },
    (request, response) => {
      answerTo(request).then(
        ({ status, headers, body }) => {
          // What has not been read of a request must not stand before the next one.
          if (!request.complete) response.shouldKeepAlive = false;
          const text = JSON.stringify(body);
          response.writeHead(status, {
            ...headers,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
            'cache-control': 'no-store',
          });
          response.end(text);
        },
        // The client went away in the middle of its body.
        () => response.destroy(),
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  const bound = await listen(server, address);
  return {
    address: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function health(method: string, path: string, ready: () => boolean): AdminAnswer {
  const status = healthStatus(method, path, ready);
  return { status, body: { status: status === 200 ? 'ok' : status === 503 ? 'not ready' : 'not found' } };
}

function healthStatus(method: string, path: string, ready: () => boolean): number {
  if (method !== 'GET' && method !== 'HEAD') return 404;
  if (path === '/health/alive') return 200;
  if (path === '/health/ready') return ready() ? 200 : 503;
  return 404;
}
