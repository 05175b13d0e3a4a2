// Binding a listener: where it ended up, and what to say where it cannot. Opens a socket.
import type { AddressInfo, Server } from 'node:net';
import { type Address, formatAddress } from '../config/config.ts';

/** Binds and says where; shared by every listener. @throws the listen error of node:net, such as EADDRINUSE. */
export function listen(server: Server, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, backlog: 4_096 }, () => {
      server.off('error', reject);
      const bound = server.address() as AddressInfo;
      resolve({ host: bound.address, port: bound.port });
    });
  });
}

/** A listener that could not be bound, and the key of the file that names its address. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** That of node:net, such as EADDRINUSE. */
  readonly code: string | undefined;
  readonly key: string;
  readonly address: Address;

  constructor(cause: unknown, key: string, address: Address) {
    super(`${key} cannot listen on ${formatAddress(address)}`, { cause });
    this.code = (cause as NodeJS.ErrnoException).code;
    this.key = key;
    this.address = address;
  }
}
