// An authorizer that says yes to everything and does nothing else: what node:http alone costs. `empty-authorizer.ts PORT`.
import { createServer } from 'node:http';

const server = createServer((_, response) => {
  response.sendDate = false;
  response.writeHead(200, { 'content-length': '0' });
  response.end();
});
server.keepAliveTimeout = 90_000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'));
