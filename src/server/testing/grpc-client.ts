// Asking a gRPC listener in bytes, so that messages can be wrong. Opens sockets.
import { Client, credentials } from '@grpc/grpc-js';
import { type Address, formatAddress } from '../../config/config.ts';

export interface GrpcClient {
  /** One Check. @throws grpc-js's ServiceError, with its code. */
  check(message: Uint8Array): Promise<Uint8Array>;
  call(method: string, message: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

export function grpcClient(address: Address, options: Record<string, unknown> = {}): GrpcClient {
  // A connection of its own: otherwise clients of one address share it.
  const client = new Client(formatAddress(address), credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  });
  const call = (method: string, message: Uint8Array) =>
    new Promise<Uint8Array>((resolve, reject) =>
      client.makeUnaryRequest(
        method,
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes: Buffer): Uint8Array => bytes,
        message,
        { deadline: Date.now() + 15_000 },
        (error, answer) => (error ? reject(error) : resolve(answer ?? new Uint8Array())),
      ),
    );
  return {
    call,
    check: (message) => call('/envoy.service.auth.v3.Authorization/Check', message),
    close: () => client.close(),
  };
}
