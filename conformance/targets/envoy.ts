// Standalone Envoy as a target of the table, over each transport. Runs `ory-envoy generate envoy`, starts Envoy.
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import type { Transport } from '../../src/generate/envoy/transport.ts';
import { generated } from './generated.ts';
import type { StartTarget } from './target.ts';

/** @param more flags of `generate envoy` */
export function envoyTarget(transport: Transport, more: readonly string[] = []): StartTarget {
  return async (backing, edgePort) => {
    const policy = {
      ...backing.policy,
      edge: {
        ...(backing.policy['edge'] as object),
        listen: `127.0.0.1:${edgePort}`,
        admin: '127.0.0.1:0',
      },
    };
    const { files } = await generated({ ...backing, policy }, 'envoy', ['--transport', transport, ...more]);
    const { path } = await findEnvoy();
    const envoy = await startEnvoy({ path, config: files.get('bootstrap.yaml') ?? '' });
    return { url: `http://127.0.0.1:${envoy.listenPort}`, close: () => envoy.stop() };
  };
}
