// The check as Envoy's gRPC ext_authz sends it: a CheckRequest message of envoy.service.auth.v3. No I/O.

import { fromBinary } from '@bufbuild/protobuf';
import { CheckRequestSchema } from '../proto/ext_authz_pb.ts';
import { WIRE } from '../wire.ts';
import type { CheckRequest } from './check-request.ts';
import { HeaderLines } from './header-lines.ts';

/**
 * Reads the raw header lines where Envoy sends them, else the joined ones. `jwtFailure` is the call's own metadata.
 * What is missing is empty, and is denied later.
 * @throws where the bytes are no CheckRequest.
 */
export function readGrpcCheck(message: Uint8Array, jwtFailure?: string): CheckRequest {
  const { attributes } = fromBinary(CheckRequestSchema, message, { readUnknownFields: false });
  const http = attributes?.request?.http;
  const lines = new HeaderLines();
  for (const { key, value, rawValue } of (http?.headerMap ?? http)?.headers ?? [])
    lines.add(latin1(key).toLowerCase(), latin1(rawValue.length > 0 ? rawValue : value));
  if (jwtFailure !== undefined) lines.add(WIRE.jwtFailure, jwtFailure);
  const host = latin1(http?.host);
  return lines.toRequest(latin1(http?.method), host === '' ? undefined : host, latin1(http?.path));
}

/** One character a byte, as node:http has them. */
function latin1(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
