// A process that answers whoami as Kratos would, from the credential alone, after a given time: fast enough not to be
// what is measured. `kratos.ts PORT DELAY_MS [JWKS]`. Hydra's keys are here as well. What only the bench asks: `/count`,
// how often whoami was called; `/end/PERSON`, whose session has ended; PUT of other keys, and `/keys-given`, when they were
// given out last, in milliseconds since the epoch. Listens on loopback.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { COOKIE, personOf } from './credentials.ts';
import { whoamiBody } from './whoami.ts';

const [port = '0', delay = '0', firstJwks = '{"keys":[]}'] = process.argv.slice(2);
const delayMs = Number(delay);
const ended = new Set<number>();
let whoamis = 0;
let jwks = firstJwks;
let keysGivenAt = 0;

const server = createServer((request, response) => {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  if (path === '/sessions/whoami') {
    whoamis++;
    if (delayMs === 0) whoami(request, response);
    else setTimeout(whoami, delayMs, request, response);
  } else if (path === '/.well-known/jwks.json' && request.method === 'PUT') takeKeys(request, response);
  else if (path === '/.well-known/jwks.json') giveKeys(response);
  else if (path === '/keys-given') answer(response, 200, String(keysGivenAt));
  else if (path.startsWith('/end/')) endSession(Number(path.slice('/end/'.length)), response);
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
  if (person === undefined || ended.has(person))
    answer(response, 401, '{"error":{"code":401,"status":"Unauthorized"}}');
  else answer(response, 200, whoamiBody(person, Date.now()));
}

function takeKeys(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    jwks = body;
    keysGivenAt = 0;
    answer(response, 200, '{}');
  });
}

function giveKeys(response: ServerResponse): void {
  keysGivenAt = performance.timeOrigin + performance.now();
  answer(response, 200, jwks);
}

function endSession(person: number, response: ServerResponse): void {
  ended.add(person);
  answer(response, 200, '{}');
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
