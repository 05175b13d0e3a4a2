// One request to a running edge, as it is written: raw path, header lines in order. Network.
import { type ClientRequest, request as http, type IncomingMessage } from 'node:http';
import { request as https } from 'node:https';
import { getCACertificates } from 'node:tls';
import type { CaseRequest, HeaderLine } from './case.ts';

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly lines: readonly HeaderLine[];
  /** The beginning of a body that may be a verdict's, or the demo application's; else empty. */
  readonly body: string;
}

const LIMIT_MS = 20_000;
const MAX_BODY_BYTES = 256 * 1024;
const CARRIES_BODY = new Set(['POST', 'PUT', 'PATCH']);

/** A connection of its own for each: none is reused that the edge is just closing. @throws where no answer comes. */
export function send(edge: URL, { method, host, target, headers }: Omit<CaseRequest, 'url'>): Promise<Answer> {
  const length: readonly HeaderLine[] = CARRIES_BODY.has(method) ? [['content-length', '0']] : [];
  const options = {
    hostname: edge.hostname.replace(/^\[|\]$/g, ''),
    port: edge.port,
    method,
    path: target,
    headers: [['host', host], ...headers, ...length].flat(),
    agent: false,
    timeout: LIMIT_MS,
  } as const;
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest =
      edge.protocol === 'https:'
        ? https({ ...options, ca: [...getCACertificates('default'), ...getCACertificates('system')] })
        : http(options);
    const limit = setTimeout(() => outgoing.destroy(new Error('no answer in time')), LIMIT_MS);
    outgoing.on('close', () => clearTimeout(limit));
    outgoing.on('error', reject);
    outgoing.on('response', (response) => void read(response).then(resolve, reject));
    outgoing.end();
  });
}

async function read(response: IncomingMessage): Promise<Answer> {
  const lines: HeaderLine[] = [];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2)
    lines.push([(response.rawHeaders[i] ?? '').toLowerCase(), response.rawHeaders[i + 1] ?? '']);
  const chunks: Buffer[] = [];
  let size = 0;
  // An application's own stream may never end.
  if (isOfInterest(response)) {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BODY_BYTES) break;
    }
  }
  response.destroy();
  return { status: response.statusCode ?? 0, lines, body: Buffer.concat(chunks).toString('utf8') };
}

function isOfInterest({ headers, statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 400 || headers['x-ory-envoy-development'] !== undefined;
}

/** The first line of this name; `name`: in lower case. */
export function lineOf({ lines }: Answer, name: string): string | undefined {
  return lines.find(([one]) => one === name)?.[1];
}

/** Of a gRPC message, which goes percent-encoded. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Why no answer came, in a word. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
