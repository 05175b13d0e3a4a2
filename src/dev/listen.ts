// Puts a small application on a loopback port. Network.
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * `build` is told the address, which a port of 0 leaves open until then.
 * @throws Node's own error, such as `EADDRINUSE`
 */
export async function listen(
  host: string,
  port: number,
  build: (url: string) => Promise<Hono<{ Bindings: HttpBindings }>>,
): Promise<Listening> {
  if (!loopback.has(host)) throw new RangeError(`${host}: what is for development listens on this machine alone`);
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, resolve);
  });
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${actual}`;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  try {
    const app = await build(url);
    server.on('request', getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}
