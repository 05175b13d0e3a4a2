// Free ports of this machine, asked for. Binds sockets for a moment.
import { createServer } from 'node:net';

/**
 * Below what the system gives to outgoing connections and to port 0 (Linux: 32768 and up): a port that is free now is not
 * taken by a client's own end a moment later. Each process begins elsewhere and goes on from there.
 */
const FIRST = 20_000;
const COUNT = 12_000;
let next = (process.pid * 97) % COUNT;

/** Distinct ports of the loopback interface that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tried = 0; ports.length < count; tried++) {
    if (tried > COUNT) throw new Error('no port is free');
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

export function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
