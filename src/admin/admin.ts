// The admin port: health, for orchestrators. Listens on a socket of its own, apart from the data path.
import { createServer } from 'node:http';
import type { Address } from '../config/config.ts';
import { listen } from '../server/listen.ts';

export interface AdminListener {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Serves `/health/alive` (200 while the process runs) and `/health/ready` (200, or 503 while `ready()` is false).
 * @throws the listen error of node:net, such as EADDRINUSE.
 */
export async function listenAdmin(address: Address, ready: () => boolean): Promise<AdminListener> {
  const server = createServer((request, response) => {
    const status = statusOf(request.method ?? '', (request.url ?? '').split('?', 1)[0] ?? '', ready);
    const body = JSON.stringify({ status: status === 200 ? 'ok' : status === 503 ? 'not ready' : 'not found' });
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(body);
  });
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

function statusOf(method: string, path: string, ready: () => boolean): number {
  if (method !== 'GET' && method !== 'HEAD') return 404;
  if (path === '/health/alive') return 200;
  if (path === '/health/ready') return ready() ? 200 : 503;
  return 404;
}
