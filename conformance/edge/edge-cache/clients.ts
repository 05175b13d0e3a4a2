// Clients that keep their connections, several to a listener so that each worker gets some; and what came of a request of
// each form in one line. Opens loopback connections.
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { Connections } from '../../equivalence/wire.ts';
import { rawOutcome, said } from '../attacks/rig.ts';
import type { Lines, Protocol } from '../rig/client.ts';
import type { Form } from './sequence.ts';

export interface KeptRequest {
  readonly form: Form;
  readonly protocol: Protocol;
  readonly method: string;
  /** Of a CONNECT: host and port. */
  readonly path: string;
  readonly lines: Lines;
}

const LIMIT_MS = 20_000;
const MESSAGES = ['one', 'two'];

export class Clients {
  readonly #url: string;
  readonly #http1: Connections;
  readonly #http2: (ClientHttp2Session | undefined)[];
  #next = 0;

  constructor(url: string, connections: number) {
    this.#url = url;
    this.#http1 = new Connections(Number(new URL(url).port), connections);
    this.#http2 = Array<undefined>(Math.ceil(connections / 4)).fill(undefined);
  }

  /**
   * As `outcome` of the attacks has it, whatever the form: `401 session_invalid`, or `200 ada /admin/x` with all that the
   * application said after it; `0` where the connection ended without an answer.
   */
  async ask(request: KeptRequest): Promise<string> {
    const { form, protocol, method, path, lines } = request;
    if (form === 'grpc') return await this.#call(request);
    if (form === 'websocket') return await this.#upgrade(request);
    if (protocol === 'HTTP/2') return await this.#ask2(request);
    // Its connection is not one for requests afterwards.
    if (form === 'connect')
      return await rawOutcome(
        { url: this.#url },
        `${method} ${path} HTTP/1.1`,
        ...lines.map((line) => line.join(': ')),
      );
    return await this.#ask1(request);
  }

  close(): void {
    this.#http1.close();
    for (const session of this.#http2) session?.destroy();
  }

  async #ask1({ method, path, lines }: KeptRequest): Promise<string> {
    const length = method === 'POST' ? ['content-length: 0'] : [];
    const head = [`${method} ${path} HTTP/1.1`, 'host: app.test', ...length];
    const { status, body } = await this.#http1.ask(
      `${[...head, ...lines.map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`,
    );
    return came(status, body);
  }

  #session(): ClientHttp2Session {
    const i = this.#next++ % this.#http2.length;
    const before = this.#http2[i];
    if (before && !before.closed && !before.destroyed) return before;
    const session = connect(this.#url);
    session.on('error', () => session.destroy());
    this.#http2[i] = session;
    return session;
  }

  #ask2({ form, method, path, lines }: KeptRequest): Promise<string> {
    const target = form === 'connect' ? { ':authority': path } : { ':path': path, ':authority': 'app.test' };
    return new Promise((resolve) => {
      const stream = this.#session().request({ ':method': method, ...target, ...fieldsOf(lines) }, { endStream: true });
      let [status, body] = [0, ''];
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('data', (data: Buffer) => {
        body += data.toString();
      });
      stream.on('error', () => {});
      stream.on('close', () => resolve(came(status, body)));
    });
  }

  /** Sends a message for each that comes back. */
  #call({ path, lines }: KeptRequest): Promise<string> {
    const target = { ':method': 'POST', ':path': path, ':authority': 'app.test' };
    const grpc = { 'content-type': 'application/grpc', te: 'trailers' };
    return new Promise((resolve) => {
      const stream = this.#session().request({ ...target, ...grpc, ...fieldsOf(lines) });
      let [status, seen, message, body, sent] = ['0', '', '', '', 0];
      const take = (headers: Readonly<Record<string, unknown>>) => {
        status = String(headers['grpc-status'] ?? status);
        message = String(headers['grpc-message'] ?? message);
      };
      stream.on('response', (headers) => {
        take(headers);
        seen = String(headers['seen'] ?? '');
        if (headers['grpc-status'] === undefined) stream.write(MESSAGES[sent++]);
      });
      stream.on('data', (data: Buffer) => {
        body += data.toString();
        if (sent < MESSAGES.length) stream.write(MESSAGES[sent++]);
        else stream.end();
      });
      stream.on('trailers', take);
      stream.on('error', () => {});
      stream.setTimeout(LIMIT_MS, () => stream.destroy());
      stream.on('close', () => {
        if (seen !== '') resolve(`${came(200, seen)} grpc ${status} ${body}`);
        else resolve(refusedCall(status, decodeURIComponent(message)));
      });
    });
  }

  /** A WebSocket on a connection of its own, and one message there and back. */
  #upgrade({ method, path, lines }: KeptRequest): Promise<string> {
    const handshake = [
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    const head = [`${method} ${path} HTTP/1.1`, 'host: app.test', 'connection: Upgrade', ...handshake];
    return new Promise((resolve) => {
      let received = '';
      let isOpen = false;
      const socket = connectTcp(Number(new URL(this.#url).port), '127.0.0.1', () =>
        socket.write([...head, ...lines.map((line) => line.join(': ')), '', ''].join('\r\n'), 'latin1'),
      );
      socket.setTimeout(LIMIT_MS, () => socket.destroy());
      socket.on('data', (data) => {
        received += data.toString('latin1');
        const end = received.indexOf('\r\n\r\n') + 4;
        if (end < 4) return;
        if (received.startsWith('HTTP/1.1 101 ')) {
          if (!isOpen) socket.write('ping');
          isOpen = true;
          if (received.endsWith('ping')) socket.destroy();
        } else if (received.length >= end + Number(/\ncontent-length: (\d+)\r/i.exec(received)?.[1] ?? 0))
          socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        const [head = '', body = ''] = received.split('\r\n\r\n');
        if (isOpen) resolve(`${came(200, /\nseen: (.*)\r/.exec(`${head}\r`)?.[1] ?? '')} websocket ${body}`);
        else resolve(said(Number(head.split(' ')[1] ?? 0), body));
      });
    });
  }
}

function fieldsOf(lines: Lines): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {};
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    const before = fields[key];
    fields[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value];
  }
  return fields;
}

function came(status: number, body: string): string {
  return status === 200 ? `${said(status, body)} ${body}` : said(status, body);
}

/** Envoy puts its problem body into the message. */
function refusedCall(status: string, message: string): string {
  const http = /"status":\s*(\d{3})/.exec(message)?.[1];
  return http === undefined ? `grpc ${status} ${message}` : said(Number(http), message);
}
