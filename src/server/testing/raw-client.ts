// Talking to a listener in raw bytes, so that requests can be wrong. Opens sockets.
import { connect, type Socket } from 'node:net';
import type { Address } from '../../config/config.ts';

export interface RawClient {
  readonly socket: Socket;
  /** What has arrived. */
  readonly text: () => string;
  /** Settles when the text has what is looked for, or the connection has ended. */
  until(wanted: RegExp): Promise<string>;
  readonly ended: Promise<string>;
}

export async function dial(address: Address): Promise<RawClient> {
  const socket = connect(address.port, address.host);
  let text = '';
  let look: () => void = () => {};
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    look();
  });
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return {
    socket,
    text: () => text,
    ended,
    until: (wanted) =>
      Promise.race([
        ended,
        new Promise<string>((resolve) => {
          look = () => wanted.test(text) && resolve(text);
          look();
        }),
      ]),
  };
}

/**
 * Sends bytes and gives back all that comes until the other side ends: a right request asks for that itself.
 * This side stays open: to Node's server a client that half-closes has gone away.
 */
export async function exchange(address: Address, bytes: string): Promise<string> {
  const client = await dial(address);
  client.socket.write(bytes, 'latin1');
  return await client.ended;
}
