// A policy as `up` works with it: the text that its parts read, and what the text means. No I/O.
import { createHash } from 'node:crypto';
import { type Config, formatAddress } from '../../config/config.ts';
import { parseConfig } from '../../config/load.ts';
import type { PolicyText } from './messages.ts';
import { type Servers, withServers } from './servers.ts';

export interface Policy extends PolicyText {
  readonly config: Config;
}

/** `${NAME}` is read from the environment of the start. @throws {ConfigError} with every fault of the text as written. */
export function readPolicy(source: string, file: string, servers: Servers): Policy {
  const written = parseConfig(source, file);
  const text = withServers(source, servers, written);
  const config = text === source ? written : parseConfig(text, `${file}, with the servers of --with`);
  return { id: createHash('sha256').update(text).digest('hex').slice(0, 16), file, text, config };
}

/**
 * Addresses that belong to a process and not to a policy.
 * @returns the sentence that says which of them changed, and what to do; undefined where none did.
 */
export function needsRestart(before: Config, after: Config): string | undefined {
  if (before.edge.ory?.apiKey?.value !== after.edge.ory?.apiKey?.value)
    return 'ory.api_key: Envoy has it from its start. End up and start it again, or take the change back.';
  const changed = addresses(before).flatMap(([key, was], i) => {
    const is = addresses(after)[i]?.[1];
    return is === was ? [] : [`${key} from ${was} to ${is}`];
  });
  if (changed.length === 0) return undefined;
  return `${changed.join(', ')}: such an address changes when up is started anew. End it and start it again, or take the change back.`;
}

function addresses({ edge, serve }: Config): [string, string][] {
  return [
    ['edge.admin', formatAddress(edge.admin)],
    ['edge.authorizer', edge.authorizer.href],
    ['serve.http', formatAddress(serve.http)],
    ['serve.grpc', formatAddress(serve.grpc)],
    ['serve.admin', formatAddress(serve.admin)],
  ];
}
