// The application behind the edge: it says back what reached it, and echoes WebSocket bytes. Listens on loopback.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the application saw of one request. */
export interface Seen {
  readonly app: string;
  readonly method: string;
  readonly url: string;
  /** Names in lower case, one entry a header line. */
  readonly headers: readonly (readonly [string, string])[];
}

export interface App {
  readonly url: string;
  /** How many requests have reached it. */
  count(): number;
  close(): Promise<void>;
}

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export async function startApp(name: string): Promise<App> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const body = JSON.stringify(seen(name, request));
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'ory-status': '503',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.on('upgrade', (request: IncomingMessage, socket) => {
    requests++;
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}${WEBSOCKET_GUID}`)
      .digest('base64');
    const user = request.headers['x-user-id'] ?? '';
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nseen-user: ${user}\r\n\r\n`,
    );
    socket.on('data', (data) => socket.write(data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function seen(app: string, request: IncomingMessage): Seen {
  const headers: [string, string][] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    headers.push([(request.rawHeaders[i] ?? '').toLowerCase(), request.rawHeaders[i + 1] ?? '']);
  }
  return { app, method: request.method ?? '', url: request.url ?? '', headers };
}
