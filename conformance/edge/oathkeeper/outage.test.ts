// What the real Oathkeeper makes of an Ory that says something else than yes and no, or says nothing.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { DIFFERENCES, type DifferenceName } from '../../oathkeeper/differences.ts';
import { claimsOf, sign } from '../attacks/scripted-ory.ts';
import { type Lines, send } from '../rig/client.ts';
import { outcome, type Pair, startPair } from './rig.ts';

let pair: Pair;
let jwt: Lines;
const SESSION: Lines = [['X-Session-Token', 'ory_st_ada']];
const OPAQUE: Lines = [['Authorization', 'Bearer ory_at_x']];

beforeAll(async () => {
  pair = await startPair();
  pair.sessions.add('ory_st_ada', 'ada');
  jwt = [['Authorization', `Bearer ${await sign(pair.ory.rs256, claimsOf(pair.ory))}`]];
});
afterAll(() => pair?.close());
beforeEach(() => {
  pair.sessions.status = undefined;
  pair.sessions.body = undefined;
  pair.ory.before = (request, response) => pair.sessions.answer(request, response);
});

/** No answer to whatever begins so. */
function silence(path: string): void {
  pair.ory.before = (request) => {
    if (!request.url?.startsWith(path)) return false;
    request.socket.destroy();
    return true;
  };
}

function hang(path: string): void {
  pair.ory.before = (request) => request.url?.startsWith(path) === true;
}

const CASES: readonly [
  name: string,
  arrange: () => void,
  path: string,
  headers: () => Lines,
  difference?: DifferenceName,
][] = [
  ['a second factor is missing', () => (pair.sessions.status = 403), '/app/x', () => SESSION, 'aal'],
  ['Kratos fails', () => (pair.sessions.status = 500), '/app/x', () => SESSION, 'kratosError'],
  ['Kratos has had enough', () => (pair.sessions.status = 429), '/app/x', () => SESSION, 'kratosError'],
  ['Kratos is away', () => silence('/sessions'), '/app/x', () => SESSION, 'kratosGone'],
  ['Kratos hangs', () => hang('/sessions'), '/app/x', () => SESSION],
  ['the keys are away', () => silence('/.well-known'), '/api/x', () => jwt, 'keysGone'],
  ['introspection is away', () => silence('/admin'), '/api/x', () => OPAQUE],
  ['whoever is in Kratos’s place says {}', () => (pair.sessions.body = '{}'), '/app/x', () => SESSION],
  ['… or a page', () => (pair.sessions.body = '<html>log in</html>'), '/app/x', () => SESSION],
  ['… or a session that has ended', () => (pair.sessions.body = ENDED), '/app/x', () => SESSION, 'endedSession'],
  [
    '… or a session of nobody',
    () => (pair.sessions.body = '{"id":"s","active":true}'),
    '/app/x',
    () => SESSION,
    'endedSession',
  ],
];
const ENDED = '{"id":"s","active":false,"identity":{"id":"ada","state":"active"}}';

it.each(CASES.map((one) => ({ name: one[0], one })))(
  '$name',
  async ({ one: [, arrange, path, headers, difference] }) => {
    arrange();
    const ask = async (url: string) => outcome(await send(url, 'HTTP/1.1', { path, headers: headers() }));
    const wanted = await ask(pair.ours.url);
    const found = await ask(pair.oathkeeper.url);
    const { policy, oathkeeper } = difference ? DIFFERENCES[difference] : { policy: '503', oathkeeper: '503' };
    expect([wanted.split(' ')[0], found]).toEqual([policy, oathkeeper]);
  },
);

it('Oathkeeper itself is away: nobody passes but where anyone may', async () => {
  await pair.oathkeeper.oathkeeper.kill();
  const answer = await send(pair.oathkeeper.url, 'HTTP/1.1', { path: '/app/x', headers: SESSION });
  expect(answer.status).toBe(503);
  expect(answer.json()['reason']).toBe('authorizer_unreachable');
  expect(answer.header('retry-after')).toEqual(['1']);
  expect((await send(pair.oathkeeper.url, 'HTTP/1.1', { path: '/open/x' })).status).toBe(200);
  await pair.oathkeeper.oathkeeper.start();
  expect((await send(pair.oathkeeper.url, 'HTTP/1.1', { path: '/app/x', headers: SESSION })).status).toBe(200);
});
