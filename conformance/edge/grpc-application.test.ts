// A gRPC application behind the edge: calls and streams pass, and a refused call is told so in gRPC's own words.
import { connect, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDevOry } from '../../src/dev/ory.ts';
import { startDevelopmentOry } from '../ory/dev.ts';
import { type Edge, startEdge } from './rig/edge.ts';

const MESSAGE = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);

let ory: { close(): Promise<void> };
let oryUrl: string;
let edge: Edge;
let application: Http2Server;
let session: string;
const seen: IncomingHttpHeaders[] = [];
const trailersSeen: IncomingHttpHeaders[] = [];

/** Echoes each message, as a bidirectional stream. */
function echo(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  seen.push(headers);
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.on('data', (data: Buffer) => stream.write(data));
  stream.on('trailers', (trailers) => trailersSeen.push({ ...trailers }));
  stream.on('end', () => stream.end());
}

beforeAll(async () => {
  const development = await startDevelopmentOry();
  ory = development;
  oryUrl = development.kratos.publicUrl;
  application = createServer();
  application.on('stream', echo);
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  edge = await startEdge({
    ory: { url: oryUrl },
    edge: { upstreams: { app: `h2c://127.0.0.1:${(application.address() as AddressInfo).port}` } },
  });
  session = (await development.login(await development.createPerson())).token;
});

afterAll(async () => {
  await edge?.close();
  await ory?.close();
  application?.close();
});

interface GrpcAnswer {
  readonly status: number;
  /** From the trailers, or from the headers where there is nothing else. */
  readonly grpcStatus: string;
  readonly grpcMessage: string;
  readonly body: Buffer;
}

function call(
  messages: readonly Buffer[],
  headers: Record<string, string> = {},
  trailing: Record<string, string> = {},
): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const client = connect(edge.url);
    client.on('error', reject);
    const stream = client.request(
      {
        ':method': 'POST',
        ':path': '/echo.Echo/Talk',
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers(trailing));
    stream.setTimeout(20_000, () => stream.destroy(new Error('no answer in time')));
    let first: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('error', reject);
    stream.on('response', (received) => (first = received));
    stream.on('trailers', (received) => (trailers = received));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      client.close();
      const word = (name: string) => String(trailers[name] ?? first[name] ?? '');
      const answer = {
        grpcStatus: word('grpc-status'),
        grpcMessage: word('grpc-message'),
        body: Buffer.concat(chunks),
      };
      resolve({ status: Number(first[':status']), ...answer });
    });
    for (const message of messages) stream.write(message);
    stream.end();
  });
}

describe('a gRPC call', () => {
  it('passes with a session, messages and trailers intact, and says who it is', async () => {
    const answer = await call([MESSAGE, MESSAGE], { 'x-session-token': session, 'x-user-id': 'forged' });
    expect([answer.status, answer.grpcStatus]).toEqual([200, '0']);
    expect(answer.body).toEqual(Buffer.concat([MESSAGE, MESSAGE]));
    expect(seen.at(-1)?.['x-user-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('brings no identity in its trailers', async () => {
    const forged = { 'x-user-id': 'forged', x_user_id: 'forged', 'ory-rule': 'forged', 'x-other': 'kept' };
    const answer = await call([MESSAGE], { 'x-session-token': session }, forged);
    expect(answer.grpcStatus).toBe('0');
    expect(Object.entries(trailersSeen.at(-1) ?? {})).toEqual([['x-other', 'kept']]);
  });

  it.each([
    ['nothing', {}, '16', 'credential_missing'],
    ['a bad session', { 'x-session-token': 'ory_st_x' }, '16', 'session_invalid'],
  ])('with %s is UNAUTHENTICATED, with the reason', async (_, headers, grpcStatus, reason) => {
    const before = seen.length;
    const answer = await call([MESSAGE], headers);
    expect([answer.status, answer.grpcStatus]).toEqual([200, grpcStatus]);
    expect(decodeURIComponent(answer.grpcMessage)).toContain(`"reason":"${reason}"`);
    expect(seen).toHaveLength(before);
  });

  it('is UNAVAILABLE where nobody can be asked', async () => {
    await ory.close();
    try {
      const answer = await call([MESSAGE], { 'x-session-token': 'ory_st_unknown' });
      expect(answer.grpcStatus).toBe('14');
      expect(decodeURIComponent(answer.grpcMessage)).toContain('"reason":"ory_unreachable"');
    } finally {
      ory = await startDevOry({ port: Number(new URL(oryUrl).port), audience: [] });
    }
    await edge.authorizer.kill();
    // One that Envoy does not remember.
    const answer = await call([MESSAGE], { 'x-session-token': 'ory_st_nobody' });
    expect(answer.grpcStatus).toBe('14');
    expect(decodeURIComponent(answer.grpcMessage)).toContain('authorizer_unreachable');
    await edge.authorizer.start();
  });
});
