// Stands before a real server, counts what is asked of it and remembers the last of each. Listens on loopback.
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CountingProxy {
  readonly url: string;
  /** Requests for this path since the last reset. */
  count(path: string): number;
  /** The last one for this path. */
  last(path: string): Asked | undefined;
  reset(): void;
  close(): Promise<void>;
}

interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `onAnswer` is told of each answer when its last byte is there, and before the asker has it. */
export async function startCountingProxy(
  target: string,
  onAnswer?: (path: string, body: string) => void,
): Promise<CountingProxy> {
  const counts = new Map<string, number>();
  const last = new Map<string, Asked>();
  const server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').split('?', 1)[0] ?? '';
    counts.set(path, (counts.get(path) ?? 0) + 1);
    const onward = httpRequest(new URL(incoming.url ?? '/', target), {
      method: incoming.method,
      headers: incoming.headers,
    });
    // As a server that is gone: the connection ends without an answer.
    onward.on('error', () => outgoing.destroy());
    onward.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
      if (onAnswer) {
        const answered: Buffer[] = [];
        response.on('data', (chunk: Buffer) => answered.push(chunk));
        response.on('end', () => onAnswer(path, Buffer.concat(answered).toString()));
      }
      response.pipe(outgoing);
    });
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => last.set(path, { headers: incoming.headers, body: Buffer.concat(chunks).toString() }));
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: (path) => counts.get(path) ?? 0,
    last: (path) => last.get(path),
    reset: () => {
      counts.clear();
      last.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
