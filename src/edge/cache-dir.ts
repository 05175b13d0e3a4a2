// Where downloaded and built programs are kept between runs. No I/O.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$ORY_ENVOY_CACHE`, else `$XDG_CACHE_HOME/ory-envoy`, else `~/.cache/ory-envoy`. It may not exist yet. */
export function cacheDir(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env['ORY_ENVOY_CACHE']) return env['ORY_ENVOY_CACHE'];
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ory-envoy');
}
