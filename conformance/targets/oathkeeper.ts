// Oathkeeper as a target: its decision API behind a standalone Envoy, with what `ory-envoy generate oathkeeper` wrote.
import { startOathkeeperEdge } from '../oathkeeper/edge.ts';
import { generated } from './generated.ts';
import type { StartTarget } from './target.ts';

export const startOathkeeper: StartTarget = async ({ dir, policy }, port) => {
  const edge = await startOathkeeperEdge(policy, {
    port,
    generate: async (placed) => {
      const { files, err } = await generated({ dir, policy: placed }, 'oathkeeper');
      return { files, notes: [err] };
    },
  });
  return { url: edge.url, endDecider: () => edge.oathkeeper.kill(), close: edge.close };
};
