// A stand-in for Ory that answers with raw bytes, so that answers can be broken and requests seen as they arrive.
// Listens on a socket.
import { type AddressInfo, createServer, type Socket } from 'node:net';

export type Respond = (socket: Socket, head: string) => void;

export interface RawOry {
  readonly url: string;
  /** Request heads, as they arrived. */
  readonly heads: string[];
  /** And their bodies: '' of a request without one. */
  readonly bodies: string[];
  close(): Promise<void>;
}

export async function rawOry(respond: Respond): Promise<RawOry> {
  const heads: string[] = [];
  const bodies: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let whole = firstRequest(text); whole; whole = firstRequest(text)) {
        text = whole.rest;
        heads.push(whole.head);
        bodies.push(whole.body);
        respond(socket, whole.head);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heads,
    bodies,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Undefined while it is not there to its end. */
function firstRequest(text: string) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const bytes = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (text.length < end + 4 + bytes) return undefined;
  return { head, body: text.slice(end + 4, end + 4 + bytes), rest: text.slice(end + 4 + bytes) };
}

/** A whole answer, as text. */
export function raw(status: number, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${lines.join('')}\r\n${body}`;
}
