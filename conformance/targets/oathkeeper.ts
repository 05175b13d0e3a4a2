// Oathkeeper as a target: its decision API behind a standalone Envoy, with the generated configuration of both.
import { startOathkeeperEdge } from '../oathkeeper/edge.ts';
import type { StartTarget } from './target.ts';

export const startOathkeeper: StartTarget = (backing, edgePort) =>
  startOathkeeperEdge(backing.policy, { port: edgePort });
