// HTTP/1.1 as bytes, for hundreds of thousands of requests: a client that keeps its connections, and a server that looks
// at heads alone. Nothing is corrected on the way. Opens loopback connections.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface WireAnswer {
  /** 0 where the connection ended without an answer. */
  readonly status: number;
  /** Names in lower case, one entry a line. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const LIMIT_MS = 20_000;

/** A few connections to one port, each with one request at a time. */
export class Connections {
  readonly #port: number;
  readonly #idle: Connection[] = [];
  readonly #waiting: ((connection: Connection) => void)[] = [];

  constructor(port: number, count: number) {
    this.#port = port;
    for (let i = 0; i < count; i++) this.#idle.push(new Connection(this.#port));
  }

  async ask(bytes: string, head = false): Promise<WireAnswer> {
    const connection = this.#idle.pop() ?? (await new Promise<Connection>((resolve) => this.#waiting.push(resolve)));
    try {
      return await connection.ask(bytes, head);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(connection);
      else this.#idle.push(connection);
    }
  }

  /** Once nothing is asked any more. */
  close(): void {
    for (const connection of this.#idle) connection.close();
  }
}

class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = '';
  #head = false;
  #done: ((answer: WireAnswer) => void) | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  ask(bytes: string, head: boolean): Promise<WireAnswer> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#received = '';
      this.#head = head;
      this.#socket ??= this.#open();
      this.#socket.write(bytes, 'latin1');
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect(this.#port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.setTimeout(LIMIT_MS, () => socket.destroy());
    socket.on('data', (data) => {
      if (this.#socket !== socket || !this.#done) return;
      this.#received += data.toString('latin1');
      const answer = readAnswer(this.#received, this.#head);
      if (answer) this.#finish(answer, isLast(answer));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#finish({ status: 0, headers: [], body: this.#received }, true);
    });
    return socket;
  }

  #finish(answer: WireAnswer, last: boolean): void {
    if (last) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    const done = this.#done;
    this.#done = undefined;
    done?.(answer);
  }
}

function isLast({ headers }: WireAnswer): boolean {
  return headers.some(([name, value]) => name === 'connection' && value.toLowerCase() === 'close');
}

/** Undefined while it is not whole. */
function readAnswer(text: string, head: boolean): WireAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const { first, headers } = readHead(text.slice(0, end));
  const status = Number(first.split(' ')[1]);
  const rest = text.slice(end + 4);
  if (head) return { status, headers, body: '' };
  const length = headers.find(([name]) => name === 'content-length')?.[1];
  if (length !== undefined) {
    return rest.length < Number(length) ? undefined : { status, headers, body: rest.slice(0, Number(length)) };
  }
  if (!headers.some(([name]) => name === 'transfer-encoding')) return { status, headers, body: '' };
  return rest.endsWith('0\r\n\r\n') ? { status, headers, body: rest } : undefined;
}

interface Head {
  /** The request line, or the status line. */
  readonly first: string;
  readonly headers: readonly (readonly [string, string])[];
}

function readHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  return {
    first,
    headers: lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  };
}

export interface WireServer {
  readonly port: number;
  close(): Promise<void>;
}

export function headerOf({ headers }: Pick<Head, 'headers'>, name: string): string | undefined {
  return headers.find(([one]) => one === name)?.[1];
}

/** The bytes of an answer, or undefined to end the connection without one. */
export type Respond = (head: Head, body: string) => string | undefined;

export function response(status: number, body: string, headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status} x`, ...headers, `content-length: ${Buffer.byteLength(body)}`];
  // Written as latin1: the bytes of UTF-8, one a character.
  return `${lines.join('\r\n')}\r\n\r\n${Buffer.from(body, 'utf8').toString('latin1')}`;
}

export async function listen(respond: Respond): Promise<WireServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let received = '';
    socket.on('data', (data) => {
      received += data.toString('latin1');
      for (;;) {
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = readHead(received.slice(0, end));
        const length = Number(headerOf(head, 'content-length') ?? 0);
        if (received.length < end + 4 + length) return;
        const body = received.slice(end + 4, end + 4 + length);
        received = received.slice(end + 4 + length);
        const bytes = respond(head, body);
        if (bytes === undefined) return void socket.destroy();
        socket.write(bytes, 'latin1');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
