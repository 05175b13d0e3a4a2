// The application of the table: it answers everything with 200 and with the header lines that it got, to HEAD as well.
// Opens a socket on loopback.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Of an answer: the header lines of the request, as base64url of JSON. Nobody before the application can know them. */
export const SEEN = 'x-seen';

export interface SeeingApp {
  readonly port: number;
  close(): Promise<void>;
}

export async function startSeeingApp(): Promise<SeeingApp> {
  const server = createServer({ maxHeaderSize: 128 * 1024 }, ({ rawHeaders, method, url }, response) => {
    const lines: [string, string][] = [];
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) lines.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
    const seen = Buffer.from(JSON.stringify(lines)).toString('base64url');
    response.writeHead(200, { [SEEN]: seen, 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify({ method, path: url, headers: Object.fromEntries(lines) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
