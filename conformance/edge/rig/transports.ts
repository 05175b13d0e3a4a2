// The same suite over both transports: an edge for each, of one policy and one Ory.
import { TRANSPORTS, type Transport } from '../../../src/generate/envoy/transport.ts';
import type { Protocol } from './client.ts';
import { type Edge, type EdgeFile, startEdge } from './edge.ts';

/** Every way of a request through the edge: how the client speaks, and how Envoy asks. */
export const WAYS: readonly { readonly protocol: Protocol; readonly transport: Transport }[] = TRANSPORTS.flatMap(
  (transport) => (['HTTP/1.1', 'HTTP/2'] as const).map((protocol) => ({ protocol, transport })),
);

export type Edges = Readonly<Record<Transport, Edge>> & { close(): Promise<void> };

export async function startEdges(fileFor: (transport: Transport) => EdgeFile): Promise<Edges> {
  const http = await startEdge(fileFor('http'), 'http');
  const grpc = await startEdge(fileFor('grpc'), 'grpc');
  return {
    http,
    grpc,
    async close() {
      await http.close();
      await grpc.close();
    },
  };
}
