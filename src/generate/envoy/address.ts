// Addresses that Envoy itself listens on. No I/O.
import { isIP } from 'node:net';
import type { Address } from '../../config/config.ts';
import { GenerateError } from '../generate-error.ts';
import type { Block } from '../yaml.ts';

/** Envoy binds to addresses, never to names; `localhost` is the one name that has a fixed meaning. */
export function socketAddress(address: Address, key: string): Block {
  const host = address.host === 'localhost' ? '127.0.0.1' : address.host;
  if (isIP(host) === 0) {
    throw new GenerateError(
      `${key}: Envoy listens on an IP address, and "${host}" is a name; write one such as 0.0.0.0`,
    );
  }
  return { socket_address: { address: host, port_value: address.port } };
}
