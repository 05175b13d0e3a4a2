// Clients that ask without a pause over connections that they keep, and count what came of it. Opens loopback connections.
import { Agent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Protocol } from './client.ts';

export interface Load {
  /** Answers so far, by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Requests that got no answer, and why. */
  readonly failures: readonly string[];
  /** Connections that were opened. */
  connections(): number;
  /** Resolves when the last answer is there. */
  stop(): Promise<void>;
}

const LIMIT_MS = 20_000;

interface Client {
  ask(path: string): Promise<number>;
  close(): void;
}

/** `clients` of them, each with one connection and one request at a time; paths in turn. */
export function startLoad(url: string, protocol: Protocol, clients: number, paths: readonly string[]): Load {
  const statuses = new Map<number, number>();
  const failures: string[] = [];
  let stopped = false;
  let connections = 0;
  const run = async (offset: number) => {
    const client =
      protocol === 'HTTP/2' ? http2Client(url, () => connections++) : http1Client(url, () => connections++);
    for (let i = offset; !stopped; i++) {
      try {
        const status = await client.ask(paths[i % paths.length] ?? '/');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      } catch (error) {
        failures.push(String(error));
      }
    }
    client.close();
  };
  const running = Promise.all(Array.from({ length: clients }, (_, i) => run(i)));
  return {
    statuses,
    failures,
    connections: () => connections,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

function http1Client(url: string, onConnection: () => void): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: (path) =>
      new Promise((resolve, reject) => {
        const request = httpRequest(new URL(path, url), { agent, timeout: LIMIT_MS });
        request.on('socket', (socket) => {
          if (socket.connecting) onConnection();
        });
        request.on('timeout', () => request.destroy(new Error('no answer in time')));
        request.on('error', reject);
        request.on('response', (response) => {
          response.on('error', reject);
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.resume();
        });
        request.end();
      }),
    close: () => agent.destroy(),
  };
}

/** As a client should: no new request on a connection that was told to go away. */
function http2Client(url: string, onConnection: () => void): Client {
  let session: ClientHttp2Session | undefined;
  const current = () => {
    if (!session || session.closed || session.destroyed) {
      onConnection();
      session = connect(url);
      // It is the requests that fail and count.
      session.on('error', () => {});
    }
    return session;
  };
  return {
    ask: (path) =>
      new Promise((resolve, reject) => {
        const stream = current().request({ ':path': path });
        let status = 0;
        stream.setTimeout(LIMIT_MS, () => stream.destroy(new Error('no answer in time')));
        stream.on('response', (headers) => {
          status = headers[':status'] ?? 0;
        });
        stream.on('error', reject);
        stream.on('close', () => (status === 0 ? reject(new Error('closed without an answer')) : resolve(status)));
        stream.resume();
        stream.end();
      }),
    close: () => session?.close(),
  };
}
