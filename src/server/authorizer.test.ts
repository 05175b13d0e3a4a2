// The authorizer with its real parts, against an Ory that is a stand-in: one call, outage and return, no credential in sight.
import { afterEach, describe, expect, test } from 'vitest';
import { type RawOry, type Respond, raw, rawOry } from '../check/testing/raw-ory.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { TurnedClock } from '../check/testing/turned-clock.ts';
import { parseConfig } from '../config/load.ts';
import { startAuthorizer } from './authorizer.ts';
import { ListenError } from './listen.ts';
import { exchange } from './testing/raw-client.ts';

const SESSION = JSON.stringify({ id: 's', active: true, identity: { id: 'user-1' } });
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function start(respond: Respond) {
  const ory = await rawOry(respond);
  const config = parseConfig(
    `ory: { url: "${ory.url}", timeout: 1s }\nedge: { upstream: "http://127.0.0.1:3000" }\ntokens: { audiences: [api] }\nserve: { http: "127.0.0.1:0", grpc: "127.0.0.1:0" }\n`,
    'f',
    { env: {} },
  );
  const log = new RecordingLog();
  const clock = new TurnedClock();
  const authorizer = await startAuthorizer(config, { log, clock: clock.read });
  open.push(
    () => authorizer.close(100),
    () => ory.close(),
  );
  const ask = (...headers: string[]) =>
    exchange(
      authorizer.http,
      `GET /p HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`,
    );
  return { ory, log, clock, ask };
}
const whoami = (ory: RawOry) => ory.heads.filter((head) => head.includes('/sessions/whoami'));

describe('a session', () => {
  test('of 1,000 concurrent first checks is asked about once', async () => {
    const { ory, ask } = await start((socket, head) =>
      socket.write(head.includes('whoami') ? raw(200, SESSION) : raw(200, '{"keys":[]}')),
    );
    const answers = [];
    for (let i = 0; i < 4; i++)
      answers.push(...(await Promise.all(Array.from({ length: 250 }, () => ask('cookie: ory_kratos_session=v')))));
    expect(answers).toHaveLength(1_000);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 .*x-user-id: user-1/s);
    expect(whoami(ory)).toHaveLength(1);
  });

  test('that is remembered goes on while Kratos is down; another is a 503, never a 401; both are right after it', async () => {
    let down = false;
    const { ask, clock } = await start((socket, head) => {
      if (down) socket.resetAndDestroy();
      else socket.write(head.includes('whoami') ? raw(200, SESSION) : raw(200, '{"keys":[]}'));
    });
    expect(await ask('x-session-token: a')).toMatch(/^HTTP\/1\.1 200 /);
    down = true;
    clock.now += 59_999;
    expect(await ask('x-session-token: a')).toMatch(/^HTTP\/1\.1 200 /);
    const outage = await ask('x-session-token: b');
    expect(outage).toMatch(/^HTTP\/1\.1 503 .*retry-after: 1\r\n.*"reason":"ory_unreachable"/s);
    down = false;
    expect(await ask('x-session-token: b')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('a canary', () => {
  const CANARY = 'c4n4ry';
  test.each([
    ['cookie', `cookie: ory_kratos_session=${CANARY}`],
    ['header', `x-session-token: ${CANARY}`],
    ['session bearer', `authorization: Bearer ory_st_${CANARY}`],
    ['opaque bearer', `authorization: Bearer ory_at_${CANARY}`],
    ['JWT', `authorization: Bearer ${CANARY}.${CANARY}.${CANARY}`],
    ['malformed cookie', `cookie: ory_kratos_session="${CANARY}"`],
    ['two of them', `x-session-token: ${CANARY}, ${CANARY}2`],
    ['request id', `x-request-id: ${CANARY} ${CANARY}`],
  ])('as %s is found in no answer and no log line, whatever Ory says', async (_, header) => {
    const replies: (() => string)[] = [
      () => raw(200, SESSION),
      () => raw(401, CANARY),
      () => raw(403, CANARY),
      () => raw(500, CANARY),
      () => raw(429, ''),
      () => raw(200, `${CANARY}`),
      () => 'garbage\r\n\r\n',
    ];
    for (const reply of replies) {
      const { ask, log, ory } = await start((socket, head) => {
        if (head.includes('whoami')) socket.end(reply());
        else socket.end(raw(500, CANARY));
      });
      const answer = await ask(header);
      expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /);
      expect(answer).not.toContain(CANARY);
      expect(log.text).not.toContain(CANARY);
      expect(ory.heads.filter((head) => head.split('\r\n')[0]?.includes(CANARY))).toEqual([]);
    }
  });
});

describe('the listeners', () => {
  const config = (http: number, grpc: number) =>
    parseConfig(
      `ory: { url: http://127.0.0.1:1 }\nedge: { upstream: "http://127.0.0.1:3000" }\nserve: { http: "127.0.0.1:${http}", grpc: "127.0.0.1:${grpc}" }\n`,
      'f',
      { env: {} },
    );

  test.each(['http', 'grpc'] as const)(
    'name serve.%s where its port is taken, and leave nothing open',
    async (which) => {
      const holder = await startAuthorizer(config(0, 0), { log: new RecordingLog() });
      open.push(() => holder.close(0));
      const { port } = holder.http;
      const error = await startAuthorizer(which === 'http' ? config(port, 0) : config(0, port), {
        log: new RecordingLog(),
      }).then(
        () => 'it started',
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ListenError);
      expect(error).toMatchObject({ code: 'EADDRINUSE', key: `serve.${which}`, address: { host: '127.0.0.1', port } });
    },
  );

  test('are closed where only the second cannot be opened', async () => {
    const holder = await startAuthorizer(config(0, 0), { log: new RecordingLog() });
    const free = holder.http.port;
    await holder.close(0);
    const taken = await startAuthorizer(config(0, 0), { log: new RecordingLog() });
    open.push(() => taken.close(0));
    await expect(startAuthorizer(config(free, taken.grpc.port), { log: new RecordingLog() })).rejects.toThrow(
      /^serve\.grpc cannot listen on 127\.0\.0\.1:\d+$/,
    );
    const again = await startAuthorizer(config(free, 0), { log: new RecordingLog() });
    await again.close(0);
  });
});
