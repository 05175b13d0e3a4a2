// How Envoy asks the authorizer. No I/O.

export const TRANSPORTS = ['http', 'grpc'] as const;
export type Transport = (typeof TRANSPORTS)[number];
