// Requests as a client may send them: any header lines, HTTP/1.1 or HTTP/2, or raw bytes. Opens loopback connections.
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { Seen } from './app.ts';

export type Protocol = 'HTTP/1.1' | 'HTTP/2';

/** Header lines in order; a name may come twice. */
export type Lines = readonly (readonly [string, string])[];

export interface Answer {
  readonly status: number;
  /** By lower-case name; several lines of one name are several entries. */
  header(name: string): readonly string[];
  readonly body: string;
  /** The body as JSON; fails the test where it is none. */
  json(): Record<string, unknown>;
  /** What the application saw; fails the test where the request did not get there. */
  seen(): Seen & { header(name: string): readonly string[] };
}

export interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Lines;
  /** Default: that of the address. */
  readonly host?: string;
}

const LIMIT_MS = 20_000;

export function send(url: string, protocol: Protocol, request: Request = {}): Promise<Answer> {
  return protocol === 'HTTP/2' ? sendHttp2(url, request) : sendHttp1(url, request);
}

function sendHttp1(url: string, { method = 'GET', path = '/', headers = [], host }: Request): Promise<Answer> {
  const { hostname, port, host: authority } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      hostname,
      port,
      path,
      method,
      agent: false,
      timeout: LIMIT_MS,
      headers: [['host', host ?? authority], ...headers].flat(),
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const lines: [string, string][] = [];
        for (let i = 0; i < response.rawHeaders.length; i += 2)
          lines.push([(response.rawHeaders[i] ?? '').toLowerCase(), response.rawHeaders[i + 1] ?? '']);
        resolve(answer(response.statusCode ?? 0, lines, Buffer.concat(chunks).toString()));
      });
    });
    outgoing.end();
  });
}

function sendHttp2(url: string, { method = 'GET', path = '/', headers = [], host }: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url);
    const fail = (error: Error) => {
      session.destroy();
      reject(error);
    };
    session.on('error', fail);
    session.setTimeout(LIMIT_MS, () => fail(new Error('no answer in time')));
    const fields: OutgoingHttpHeaders = { ':method': method, ':path': path, ':authority': host ?? new URL(url).host };
    for (const [name, value] of headers) {
      const key = name.toLowerCase();
      const before = fields[key];
      // Node's client refuses a second Authorization: a comma is how one line holds two.
      if (key === 'authorization' && before !== undefined) {
        fields[key] = `${before},${value}`;
        continue;
      }
      fields[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value];
    }
    const stream = session.request(fields, { endStream: true });
    stream.on('error', fail);
    stream.on('response', (received) => {
      const lines = Object.entries(received).flatMap(([name, value]): [string, string][] =>
        Array.isArray(value) ? value.map((one): [string, string] => [name, one]) : [[name, String(value)]],
      );
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        session.close();
        resolve(answer(Number(received[':status']), lines, Buffer.concat(chunks).toString()));
      });
    });
    stream.end();
  });
}

/** Raw bytes on a connection; resolves with all that comes until the other side closes, or `until` matches. */
export function sendRaw(url: string, bytes: string, until?: { test(received: string): boolean }): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: hostname, port: Number(port) });
    let received = '';
    const finish = () => {
      socket.destroy();
      resolve(received);
    };
    socket.setTimeout(LIMIT_MS, () => {
      socket.destroy();
      reject(new Error(`no answer in time; so far: ${received.slice(0, 200)}`));
    });
    socket.on('data', (data) => {
      received += data.toString('latin1');
      if (until?.test(received)) finish();
    });
    socket.on('error', reject);
    socket.on('close', finish);
    socket.on('connect', () => socket.write(bytes, 'latin1'));
  });
}

function answer(status: number, lines: readonly (readonly [string, string])[], body: string): Answer {
  const header = (name: string) => lines.filter(([key]) => key === name).map(([, value]) => value);
  return {
    status,
    header,
    body,
    json: () => JSON.parse(body) as Record<string, unknown>,
    seen() {
      const seen = JSON.parse(body) as Seen;
      if (!Array.isArray(seen.headers))
        throw new Error(`the application was not reached: ${status} ${body.slice(0, 300)}`);
      return { ...seen, header: (name) => seen.headers.filter(([key]) => key === name).map(([, value]) => value) };
    },
  };
}
