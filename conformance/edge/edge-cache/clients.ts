// Clients that keep their connections, several to a listener so that each worker gets some. Opens loopback connections.
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import { Connections } from '../../equivalence/wire.ts';
import { said } from '../attacks/rig.ts';
import type { Lines, Protocol } from '../rig/client.ts';

export interface KeptRequest {
  readonly protocol: Protocol;
  readonly method: string;
  readonly path: string;
  readonly lines: Lines;
}

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

  /** As `outcome` of the attacks has it; `0` where the connection ended without an answer. */
  async ask(request: KeptRequest): Promise<string> {
    return request.protocol === 'HTTP/2' ? await this.#ask2(request) : await this.#ask1(request);
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
    return said(status, body);
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

  #ask2({ method, path, lines }: KeptRequest): Promise<string> {
    const fields: OutgoingHttpHeaders = { ':method': method, ':path': path, ':authority': 'app.test' };
    for (const [name, value] of lines) {
      const key = name.toLowerCase();
      const before = fields[key];
      fields[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value];
    }
    return new Promise((resolve) => {
      const stream = this.#session().request(fields, { endStream: true });
      let [status, body] = [0, ''];
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('data', (data: Buffer) => {
        body += data.toString();
      });
      stream.on('error', () => {});
      stream.on('close', () => resolve(said(status, body)));
    });
  }
}
