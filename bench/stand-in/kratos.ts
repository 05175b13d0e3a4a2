// A process that answers whoami as Kratos would, from the credential alone, after a given time: fast enough not to be
// what is measured. `kratos.ts PORT DELAY_MS [JWKS]`. `/count` says how often it was asked. Listens on loopback.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { COOKIE, personOf } from './credentials.ts';
import { whoamiBody } from './whoami.ts';

const [port = '0', delay = '0', jwks = '{"keys":[]}'] = process.argv.slice(2);
const delayMs = Number(delay);
let whoamis = 0;

const server = createServer((request, response) => {
  const path = (request.url ?? '').split('?', 1)[0];
  if (path === '/sessions/whoami') {
    whoamis++;
    if (delayMs === 0) whoami(request, response);
    else setTimeout(whoami, delayMs, request, response);
  } else if (path === '/.well-known/jwks.json') answer(response, 200, jwks);
  else if (path === '/count') answer(response, 200, String(whoamis));
  else answer(response, 404, '{}');
});
server.keepAliveTimeout = 120_000;
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));

function whoami(request: IncomingMessage, response: ServerResponse): void {
  const token = request.headers['x-session-token'];
  const cookie = request.headers.cookie
    ?.split('; ')
    .find((one) => one.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1);
  const credential = typeof token === 'string' ? token : cookie;
  const person = credential === undefined ? undefined : personOf(credential);
  if (person === undefined) answer(response, 401, '{"error":{"code":401,"status":"Unauthorized"}}');
  else answer(response, 200, whoamiBody(person, Date.now()));
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
