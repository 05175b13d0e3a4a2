// Connections, framing and upgrades: no request is hidden in another, and no tunnel is opened before the verdict.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { sendRaw } from '../rig/client.ts';
import type { Edge } from '../rig/edge.ts';
import { attack } from './classes.ts';
import { type Fields, sendFields } from './raw-http2.ts';
import { type Attacked, rawOutcome, rawOutcomes, startAttacked } from './rig.ts';

let attacked: Attacked;
let edge: Edge;

beforeAll(async () => {
  attacked = await startAttacked();
  attacked.ory.session('s-ada', 'ada');
  edge = attacked.edges.http;
});

afterAll(() => attacked?.close());

const WEBSOCKET = [
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
];
const upgrade = (method: string, path: string, lines: readonly string[]) =>
  [`${method} ${path} HTTP/1.1`, 'host: app.test', ...lines, '', ''].join('\r\n');
const statusOf = (answer: string) => /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];

describe(attack(3), () => {
  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it('a WebSocket is judged before the upgrade, and never begins as anything but GET', async () => {
      const { url, app } = attacked.edges[transport];
      const before = app.count();
      expect(await sendRaw(url, upgrade('GET', '/admin/x', WEBSOCKET), /credential_missing/)).toMatch(
        /^HTTP\/1\.1 401 /,
      );
      const asPreflight = [...WEBSOCKET, 'origin: https://spa.test', 'access-control-request-method: GET'];
      for (const [method, path] of [
        ['OPTIONS', '/spa/x'],
        ['POST', '/public/x'],
        ['OPTIONS', '/public/x'],
      ] as const)
        expect(statusOf(await sendRaw(url, upgrade(method, path, asPreflight), /\r\n\r\n/))).toBe('403');
      expect(app.count()).toBe(before);
    });

    it.each([
      'CONNECT app.test:80 HTTP/1.1',
      'CONNECT /public/x HTTP/1.1',
      'CONNECT * HTTP/1.1',
      'CONNECT  HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'GET * HTTP/1.1',
      'GET public/x HTTP/1.1',
      'GET HTTP/1.1',
      'PRI * HTTP/1.1',
    ])('without a path there is no tunnel and no crash: %s', async (line) => {
      const { app } = attacked.edges[transport];
      const before = app.count();
      expect(await rawOutcome(attacked.edges[transport], line)).toMatch(/^(?:40\d|refused)/);
      expect(app.count()).toBe(before);
      expect(await rawOutcome(attacked.edges[transport], 'GET /public/x HTTP/1.1')).toBe('200 nobody /public/x');
    });
  });

  it('the authorizer opens none either', async () => {
    const answer = await sendRaw(edge.authorizerUrl, 'CONNECT app.test:80 HTTP/1.1\r\nhost: app.test\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('ory-reason: path_ambiguous');
  });

  it('the extended CONNECT of HTTP/2 is refused', async () => {
    const before = edge.app.count();
    const fields: Fields = [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'http'],
      [':path', '/public/x'],
      [':authority', 'app.test'],
      ['sec-websocket-version', '13'],
    ];
    expect(await sendFields(edge.url, fields)).not.toContain('"url"');
    expect(await sendFields(edge.url, [fields[0] ?? ['', ''], [':authority', 'app.test:80']])).not.toContain('"url"');
    expect(edge.app.count()).toBe(before);
  });

  it.each(['h2c', 'websocket, h2c', 'h2c, websocket', 'TLS/1.2', 'connect-udp', 'foo'])(
    'an upgrade to %s gets no further than the edge',
    async (protocol) => {
      for (const connection of ['Upgrade', 'Upgrade, HTTP2-Settings']) {
        const lines = [`upgrade: ${protocol}`, `connection: ${connection}`, 'http2-settings: AAMAAABkAAQAAP__'];
        const bytes = ['GET /public/x HTTP/1.1', 'host: app.test', ...lines, '', ''].join('\r\n');
        const answer = await sendRaw(edge.url, bytes, /\r\n\r\n(?:.*\}|$)/s);
        expect(statusOf(answer)).toMatch(/^(?:200|403|404)$/);
        // Where it is served, it is served as the request that was judged.
        expect(answer).not.toMatch(/\["(?:upgrade|http2-settings|connection)"/);
      }
    },
  );
});

describe(attack('smuggling'), () => {
  const HIDDEN = 'GET /admin/hidden HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n';
  const post = (lines: readonly string[], body: string) =>
    ['POST /public/x HTTP/1.1', 'host: app.test', ...lines, '', body].join('\r\n');
  const CHUNKED = 'transfer-encoding: chunked';
  const REFUSED: readonly [string, string][] = [
    ['both lengths, chunked last', post([`content-length: ${5 + HIDDEN.length}`, CHUNKED], `0\r\n\r\n${HIDDEN}`)],
    ['both lengths, chunked first', post([CHUNKED, 'content-length: 4'], `4c\r\n${HIDDEN}\r\n0\r\n\r\n`)],
    ['two encodings', post([CHUNKED, 'transfer-encoding: identity'], `0\r\n\r\n${HIDDEN}`)],
    ['an encoding that is none', post(['transfer-encoding: xchunked'], `0\r\n\r\n${HIDDEN}`)],
    ['an encoding before chunked', post(['transfer-encoding: gzip, chunked'], `0\r\n\r\n${HIDDEN}`)],
    ['a space before the colon', post(['transfer-encoding : chunked'], `0\r\n\r\n${HIDDEN}`)],
    ['a control before chunked', post(['transfer-encoding: \x0bchunked'], `0\r\n\r\n${HIDDEN}`)],
    ['two lengths', post(['content-length: 0', `content-length: ${HIDDEN.length}`], HIDDEN)],
    ['a list of lengths', post([`content-length: 0, ${HIDDEN.length}`], HIDDEN)],
    ['a length with a sign', post(['content-length: +0'], HIDDEN)],
    ['a length in hex', post(['content-length: 0x0'], HIDDEN)],
    ['a negative length', post(['content-length: -1'], HIDDEN)],
    ['HTTP/1.0 with chunks', post([CHUNKED], `0\r\n\r\n${HIDDEN}`).replace('HTTP/1.1', 'HTTP/1.0')],
  ];

  it.each(REFUSED)('a body with two ends is refused whole: %s', async (_, bytes) => {
    const before = edge.app.count();
    const outcomes = await rawOutcomes(edge, bytes);
    expect(outcomes.length).toBeLessThanOrEqual(1);
    expect(outcomes[0] ?? 'refused').toMatch(/^(?:400|426|501|refused)$/);
    expect(edge.app.count()).toBe(before);
  });

  it.each([
    ['behind a whole request', `GET /public/x HTTP/1.1\r\nhost: app.test\r\n\r\n${HIDDEN}`],
    ['behind lines that end in line feeds', `POST /public/x HTTP/1.1\nhost: app.test\ncontent-length: 0\n\n${HIDDEN}`],
  ])('what comes behind a request is a request, and is judged: %s', async (_, bytes) => {
    const before = edge.app.count();
    expect(await rawOutcomes(edge, bytes)).toEqual(['200 nobody /public/x', '401 credential_missing']);
    expect(edge.app.count()).toBe(before + 1);
  });

  it.each([
    ['a line feed in an extension', `2;\nxx\r\n4c\r\n${HIDDEN}\r\n0\r\n\r\n`],
    ['a size that is none', `0x2\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
  ])('a broken chunk ends the request that it is in: %s', async (_, body) => {
    // Its head may be on its way by then, so this is the edge of which nobody counts; what is hidden is no request.
    expect(await rawOutcomes(attacked.edges.grpc, post([CHUNKED], body))).toEqual(['400']);
  });

  it('a body is a body', async () => {
    const lines = ['connection: close', `content-length: ${HIDDEN.length}`];
    expect(await rawOutcomes(edge, post(lines, HIDDEN))).toEqual(['200 nobody /public/x']);
    expect(await rawOutcomes(edge, post(lines, HIDDEN).replace('POST', 'GET'))).toEqual(['200 nobody /public/x']);
  });

  it('a refused upgrade leaves no tunnel behind it', async () => {
    const before = edge.app.count();
    const outcomes = await rawOutcomes(edge, upgrade('GET', '/admin/x', WEBSOCKET) + HIDDEN);
    expect(outcomes).toEqual(['401 credential_missing']);
    expect(edge.app.count()).toBe(before);
  });

  it('whoever waits for 100 Continue is judged before the body', async () => {
    const before = edge.app.count();
    const head = ['POST /admin/x HTTP/1.1', 'host: app.test', 'expect: 100-continue', 'content-length: 3'];
    const answer = await sendRaw(edge.url, `${head.join('\r\n')}\r\nconnection: close\r\n\r\n`, /credential_missing/);
    expect(answer).toMatch(/HTTP\/1\.1 401 /);
    expect(edge.app.count()).toBe(before);
  });
});

describe(attack('http2-fields'), () => {
  const GET: Fields = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/public/x'],
    [':authority', 'app.test'],
  ];
  const without = (name: string) => GET.filter(([one]) => one !== name);

  it('a method that is not in capitals reaches nobody, on an open rule either', async () => {
    for (const method of ['get', 'Get', 'dELETE', 'DELETE-', 'G.E.T']) {
      const fields: Fields = [[':method', method], ...without(':method')];
      expect(await sendFields(edge.url, fields)).toContain('path_ambiguous');
    }
  });

  it('plain fields are served, so that the rest means something', async () => {
    expect(await sendFields(edge.url, GET)).toContain('"url":"/public/x"');
    expect(await sendFields(edge.url, [...GET, ['x-session-token', 's-ada']])).toContain('"url":"/public/x"');
  });

  const REFUSED: readonly [string, Fields][] = [
    ['two paths', [...GET, [':path', '/admin/x']]],
    ['two authorities', [...GET, [':authority', 'admin.test']]],
    ['two methods', [...GET, [':method', 'POST']]],
    ['a pseudo-header behind a header', [...without(':path'), ['a', 'b'], [':path', '/public/x']]],
    ['an unknown pseudo-header', [...GET, [':user', 'ada']]],
    ['no path', without(':path')],
    ['an empty path', [...without(':path'), [':path', '']]],
    ['a path without a slash', [...without(':path'), [':path', 'public/x']]],
    ['an absolute path', [...without(':path'), [':path', 'http://app.test/public/x']]],
    ['a fragment', [...without(':path'), [':path', '/public/x#']]],
    ['a space in the path', [...without(':path'), [':path', '/public/x HTTP/1.1\r\nx-user-id: forged']]],
    ['a line break in the authority', [...without(':authority'), [':authority', 'app.test\r\nx-user-id: forged']]],
    ['a line break in the method', [...without(':method'), [':method', 'GET /public/y HTTP/1.1\r\na: b\r\n\r\nGET']]],
    ['a capital in a name', [...GET, ['X-User-Id', 'forged']]],
    ['a line break in a value', [...GET, ['a', 'b\r\nx-user-id: forged']]],
    ['a line feed in a value', [...GET, ['a', 'b\nx-user-id: forged']]],
    ['a NUL in a value', [...GET, ['a', 'b\0c']]],
    ['a line break in a name', [...GET, ['a: b\r\nx-user-id', 'forged']]],
    ['a colon in a name', [...GET, ['x-user-id:', 'forged']]],
    ['a space in a name', [...GET, ['x-user-id ', 'forged']]],
    ['transfer-encoding', [...GET, ['transfer-encoding', 'chunked']]],
    ['connection', [...GET, ['connection', 'x-user-id']]],
    ['an upgrade', [...GET, ['upgrade', 'websocket'], ['connection', 'upgrade']]],
    ['a length that is none', [...GET, ['content-length', '1, 2']]],
  ];

  it('what HTTP/1 would read as something else is refused', async () => {
    const before = edge.app.count();
    // Side by side: Envoy waits a second for a client to go that broke the protocol.
    const answers = await Promise.all(
      REFUSED.map(async ([what, fields]) => ({ what, served: (await sendFields(edge.url, fields)).includes('"url"') })),
    );
    expect(answers.filter(({ served }) => served)).toEqual([]);
    expect(edge.app.count()).toBe(before);
  });

  it.each<[string, Fields]>([
    ['after the authority', [...GET, ['host', 'admin.test']]],
    ['before everything else', [['host', 'admin.test'], ...GET]],
  ])('a Host beside the authority is not another host: %s', async (_, fields) => {
    const answer = await sendFields(edge.url, fields);
    if (answer !== 'refused' && answer !== '') {
      expect(answer).toContain('"app":"app"');
      expect(answer).not.toContain('admin.test');
    }
  });

  it('a Host without an authority is the host', async () => {
    const fields: Fields = [...without(':authority'), ['host', 'admin.test']];
    expect(await sendFields(edge.url, fields)).not.toContain('"url"');
  });

  it('the edge lives on', async () => {
    expect(await rawOutcome(edge, 'GET /public/x HTTP/1.1')).toBe('200 nobody /public/x');
  });
});

describe(attack('size'), () => {
  it.each([
    ['one header', ['x-a: '.padEnd(70_000, 'a')]],
    ['a cookie', [`cookie: ory_kratos_session=${'a'.repeat(70_000)}`]],
    ['many headers', Array.from({ length: 120 }, (_, i) => `x-${i}: a`)],
    ['many credentials', Array.from({ length: 120 }, (_, i) => `x-session-token: s-${i}`)],
  ])('more than Envoy takes is refused before anybody is asked: %s', async (_, lines) => {
    const before = edge.app.count();
    const since = attacked.ory.asked.length;
    expect(await rawOutcome(edge, 'GET /admin/x HTTP/1.1', ...lines)).toMatch(/^(?:431|400|refused)/);
    expect(edge.app.count()).toBe(before);
    expect(attacked.ory.askedFor('/sessions/whoami', since)).toEqual([]);
  });

  it('a credential behind eighty headers, or in a line of 17 KiB, is read like any other', async () => {
    const many = Array.from({ length: 80 }, (_, i) => `x-${i}: a`);
    for (const target of [attacked.edges.http, attacked.edges.grpc]) {
      expect(await rawOutcome(target, 'GET /admin/x HTTP/1.1', ...many, 'x-session-token: s-ada')).toBe(
        '200 ada /admin/x',
      );
      expect(await rawOutcome(target, 'GET /admin/x HTTP/1.1', `x-session-token: ${'a'.repeat(17_000)}`)).toBe(
        '401 credential_malformed',
      );
      const padded = `${'a=1; '.repeat(3_000)}ory_kratos_session=s-ada`;
      expect(await rawOutcome(target, 'GET /admin/x HTTP/1.1', `cookie: ${padded}`)).toBe('200 ada /admin/x');
    }
  });

  it('a request that never ends is cut off, and others are served meanwhile', async () => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(edge.url).port) });
    try {
      const closed = new Promise<string>((resolve) => {
        let received = '';
        socket.on('data', (data) => {
          received += data.toString('latin1');
        });
        socket.on('close', () => resolve(received));
        socket.on('error', () => resolve(received));
      });
      socket.write('GET /public/x HTTP/1.1\r\nhost: app.test\r\nx-slow: ');
      expect(await rawOutcome(edge, 'GET /public/x HTTP/1.1')).toBe('200 nobody /public/x');
      expect(await closed).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      socket.destroy();
    }
  });
});
