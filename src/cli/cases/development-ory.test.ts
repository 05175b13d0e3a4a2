// Credentials to order, where the one who makes them fails.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { UserError } from '../user-error.ts';
import { createDevelopmentOry } from './development-ory.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Says that it is a development Ory, and answers an order as told. */
async function failing(order: RequestListener): Promise<string> {
  server = createServer((request, response) => {
    response.setHeader('x-ory-envoy-development', 'not for production');
    if (request.method === 'GET') response.end();
    else order(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.each<[string, RequestListener, RegExp]>([
  ['breaks off', (request) => request.socket.destroy(), /does not answer \(/],
  ['says no', (_, response) => response.writeHead(500).end('{}'), /made no credential \(500\)/],
  ['answers in no JSON', (_, response) => response.writeHead(201).end('<html>'), /made no credential \(201\)/],
  ['answers with nothing', (_, response) => response.writeHead(201).end('{}'), /made no credential \(201\)/],
])('a development Ory that %s fails the case alone', async (_, order, message) => {
  const url = await failing(order);
  const ory = createDevelopmentOry();
  for (const made of [ory.session(url, {}), ory.token(url, {}), ory.opaqueToken(url, {})]) {
    const error: unknown = await made.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(message);
  }
  await ory.close();
});
