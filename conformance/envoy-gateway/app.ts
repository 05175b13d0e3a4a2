// An application that answers with what it received, and names itself. It takes WebSockets too.
import { createServer, type Server } from 'node:http';
import { headerPairs, readSeen, type Seen } from '../edge/rig/stub-authorizer.ts';

export function echoApp(name: string, received: Seen[]): Server {
  const server = createServer((request, response) => {
    void readSeen(request).then((seen) => {
      received.push(seen);
      response.setHeader('content-type', 'application/json');
      response.setHeader('x-application', name);
      response.end(JSON.stringify(seen));
    });
  });
  server.on('upgrade', (request, socket) => {
    const { method = '', url = '' } = request;
    received.push({ method, url, headers: headerPairs(request), body: '', trailers: {} });
    socket.on('error', () => {});
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-application: ${name}\r\n\r\n`,
    );
  });
  return server;
}
