// Health on the admin port.
import { afterEach, expect, test } from 'vitest';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { exchange } from '../server/testing/raw-client.ts';
import { type AdminListener, listenAdmin } from './admin.ts';

const open: AdminListener[] = [];
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close();
});

function parts(ready: boolean) {
  const log = new RecordingLog();
  return { ready: () => ready, revoke: { token: () => undefined, revoke: () => undefined, log } };
}

async function status(ready: boolean, line: string): Promise<string> {
  const listener = await listenAdmin({ host: '127.0.0.1', port: 0 }, parts(ready));
  open.push(listener);
  const answer = await exchange(listener.address, `${line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  return answer.slice(9, 12);
}

test.each([
  [true, 'GET /health/alive', '200'],
  [false, 'GET /health/alive', '200'],
  [true, 'GET /health/ready', '200'],
  [false, 'GET /health/ready', '503'],
  [false, 'HEAD /health/ready?x', '503'],
  [true, 'GET /health/ready/', '404'],
  [true, 'GET /', '404'],
  [true, 'GET http://x/health/ready', '404'],
  [true, 'POST /health/ready', '404'],
  [true, 'POST /revoke/', '404'],
])('with ready %s, %s is %s', async (ready, line, expected) => {
  expect(await status(ready, line)).toBe(expected);
});

test('an answer is stored nowhere', async () => {
  const listener = await listenAdmin({ host: '127.0.0.1', port: 0 }, parts(true));
  open.push(listener);
  const answer = await exchange(listener.address, 'GET /health/alive HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  expect(answer).toMatch(/cache-control: no-store/i);
  expect(answer).toContain('{"status":"ok"}');
});

test('a port in use is an error that says so', async () => {
  const first = await listenAdmin({ host: '127.0.0.1', port: 0 }, parts(true));
  open.push(first);
  await expect(listenAdmin(first.address, parts(true))).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
