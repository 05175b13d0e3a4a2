// HTTP/2 frames as an attacker writes them: header fields that no client library would send. Opens loopback connections.
import { connect } from 'node:net';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const LIMIT_MS = 20_000;

export type Fields = readonly (readonly [string, string])[];

/**
 * Sends one request of these fields, names and values byte for byte, on a connection of its own.
 * @returns the body of the answer; `refused` where the stream or the connection was ended instead, or nothing was said.
 */
export function sendFields(url: string, fields: Fields): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    let body = '';
    const socket = connect({ host: hostname, port: Number(port) });
    const end = (answer: string) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(LIMIT_MS, () => {
      socket.destroy();
      reject(new Error('no answer in time'));
    });
    socket.on('error', () => end('refused'));
    socket.on('close', () => end('refused'));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 9) {
        const length = received.readUIntBE(0, 3);
        if (received.length < 9 + length) return;
        const [type, flags] = [received[3], received[4] ?? 0];
        const payload = received.subarray(9, 9 + length);
        received = received.subarray(9 + length);
        if (type === DATA) body += payload.toString('latin1');
        if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
        if (type === RST_STREAM || type === GOAWAY) return end('refused');
        if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) return end(body);
      }
    });
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    socket.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.concat(fields.map(literal))));
  });
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541, section 6.2.2: literal without indexing, without Huffman. */
function literal([name, value]: readonly [string, string]): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest: number[] = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left >>= 7) rest.push((left & 127) | 128);
  return Buffer.concat([Buffer.from([...rest, left]), bytes]);
}
