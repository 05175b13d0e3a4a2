// What the edge cache takes from an answer, with an authorizer that says what a test wants: only a yes with a plain
// lifetime for the very rule, counted from before the check.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import { headerOf } from '../envoy-rig.ts';
import { send } from '../rig/client.ts';
import { type Answer, type StubAuthorizer, startStubAuthorizer } from '../rig/stub-authorizer.ts';
import type { Json } from './bootstrap.ts';
import { type Rig, startRig, token } from './rig.ts';

const TTL_MS = 700;

/** Without the removal of identity headers on arrival: what is left to the script itself. */
function withoutStripping(manager: Json): void {
  delete manager['early_header_mutation_extensions'];
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  let stub: StubAuthorizer;
  let rig: Rig;
  let answer: Answer;
  let asked: string[][];
  /** An application that keeps each request until it is let go. */
  let slow: Server;
  let held: (() => void)[];

  beforeAll(async () => {
    stub = await startStubAuthorizer(transport, (seen, reply) => {
      asked.push(headerOf(seen, 'ory-edge-key'));
      answer(seen, reply);
    });
    slow = createServer((request, response) => {
      const seen = Object.entries(request.headers);
      held.push(() => response.end(JSON.stringify({ headers: seen, url: request.url })));
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    rig = await startRig({
      transport,
      authorizerPort: stub.port,
      upstreams: { second: `http://127.0.0.1:${(slow.address() as AddressInfo).port}` },
      variants: [{ name: 'edge' }, { name: 'open', manager: withoutStripping }],
      change: {
        cache: { edge_ttl: `${TTL_MS}ms` },
        // Sessions alone: where tokens are taken, jwt_authn removes a client's identity headers as well.
        rules: [
          { name: 'slow', match: { path: '/slow/**' }, upstream: 'second', require: { session: {} } },
          { name: 'admin', match: { path: '/admin/**' }, upstream: 'app', require: { session: {} } },
        ],
      },
    });
  });
  afterAll(async () => {
    await rig?.close();
    await stub?.close();
    slow?.closeAllConnections();
    slow?.close();
  });
  beforeEach(() => {
    asked = [];
    held = [];
  });

  const yes = (headers: Record<string, string> = {}): Answer => {
    const all = {
      'ory-reason': 'session',
      'ory-rule': 'admin',
      'x-user-id': 'ada',
      'ory-x-user-id': 'ada',
      ...headers,
    };
    return (_, reply) => reply.allow({ ...all, 'x-envoy-auth-headers-to-remove': 'ory-edge-key' });
  };
  let made = 0;
  const fresh = () => token(`fresh-${made++}`);

  it('a yes with a lifetime is remembered, and the authorizer was told for what', async () => {
    answer = yes({ 'ory-cache-for': '60000' });
    const lines = fresh();
    const counts = await rig.during(async () => {
      for (let i = 0; i < 3; i++) expect(await rig.ask('/admin/x', lines)).toBe('200 ada /admin/x');
    });
    expect(counts).toEqual({ hits: 2, misses: 1, stores: 1, asked: 1 });
    expect(asked).toEqual([[`admin t${lines[0]?.[1]}`]]);
  });

  it.each([
    ...[
      '',
      '0',
      '-1',
      '+5',
      'inf',
      '-inf',
      'nan',
      'NaN',
      'Infinity',
      '0x10',
      '0x1p9',
      '1e5',
      '1.5',
      '60000.0',
      '.5',
      '5.',
    ],
    ...['60000 ', ' 60000', '60 000', '60000,60000', '60000;', '1234567890', '99999999999999999999', 'true', '60s'],
  ])('a lifetime that is no plain number is none: %j', async (lifetime) => {
    answer = yes({ 'ory-cache-for': lifetime });
    const lines = fresh();
    // Blanks around a value are none of it over HTTP.
    const isPlain = transport === 'http' && /^\d{1,9}$/.test(lifetime.trim()) && Number(lifetime) > 0;
    const counts = await rig.during(async () => {
      for (let i = 0; i < 2; i++) await rig.ask('/admin/x', lines);
    });
    expect(counts).toMatchObject(isPlain ? { stores: 1 } : { hits: 0, stores: 0, asked: 2 });
  });

  it('a lifetime beyond edge_ttl is edge_ttl', async () => {
    answer = yes({ 'ory-cache-for': '999999999' });
    const lines = fresh();
    const from = Date.now();
    await rig.ask('/admin/x', lines);
    await rig.ask('/admin/x', lines);
    expect(asked.length).toBe(1);
    await until('it is asked again', async () => {
      await rig.ask('/admin/x', lines);
      return asked.length > 1;
    });
    expect(Date.now() - from).toBeGreaterThanOrEqual(TTL_MS - 1);
    expect(Date.now() - from).toBeLessThan(10 * TTL_MS);
  });

  it.each([
    ['401', 'session_invalid'],
    ['401', ''],
    ['403', 'aal_insufficient'],
    ['302', 'credential_missing'],
    ['503', 'ory_unreachable'],
  ])('a denial that carries a yes’s words is none: %s %s', async (status, reason) => {
    const words = { 'ory-rule': 'admin', 'ory-cache-for': '60000', 'ory-x-user-id': 'ada', 'ory-reason': reason };
    answer = (_, reply) => reply.deny(Number(status), words, '');
    const lines = fresh();
    const { hits, stores } = await rig.during(async () => {
      for (let i = 0; i < 2; i++) expect(await rig.ask('/admin/x', lines)).toMatch(new RegExp(`^${status}`));
    });
    expect([hits, stores]).toEqual([0, 0]);
    // Nor is anything left for the next one, with a yes that may not be remembered.
    answer = yes();
    expect(await rig.during(() => rig.ask('/admin/x', lines))).toMatchObject({ hits: 0, stores: 0, asked: 1 });
  });

  it.each(['anonymous', '', 'SESSION', 'sessions', 'allowed', 'token_expired', '1'])(
    'a yes for another reason is not remembered: %j',
    async (reason) => {
      answer = yes({ 'ory-reason': reason, 'ory-cache-for': '60000' });
      const lines = fresh();
      const counts = await rig.during(async () => {
        for (let i = 0; i < 2; i++) await rig.ask('/admin/x', lines);
      });
      expect(counts).toMatchObject({ hits: 0, stores: 0, asked: 2 });
    },
  );

  it.each(['', 'home', 'adm', 'admin2', 'admin t', 'admin@', 'a', ' '])(
    'a yes for another rule is not remembered: %j',
    async (rule) => {
      answer = yes({ 'ory-rule': rule, 'ory-cache-for': '60000' });
      const lines = fresh();
      const counts = await rig.during(async () => {
        for (let i = 0; i < 2; i++) await rig.ask('/admin/x', lines);
      });
      expect(counts).toMatchObject({ hits: 0, stores: 0, asked: 2 });
    },
  );

  it('nothing is remembered of an authorizer that is away, talks nonsense or breaks off', async () => {
    const lines = fresh();
    const broken: Answer[] = [(_, reply) => reply.drop(), (_, reply) => reply.nonsense(), (_, reply) => reply.fail()];
    for (answer of broken) {
      expect(await rig.during(() => rig.ask('/admin/x', lines))).toMatchObject({ hits: 0, stores: 0 });
      expect(await rig.ask('/admin/x', lines)).toBe('503 authorizer_unreachable');
    }
  });

  it('a lifetime counts from before the check: behind a slow application nothing is left of it', async () => {
    answer = yes({ 'ory-cache-for': '60000', 'ory-rule': 'slow' });
    const lines = fresh();
    const from = Date.now();
    const { stores } = await rig.during(async () => {
      const first = rig.ask('/slow/x', lines);
      await until('the application has it', () => held.length === 1);
      await until('its time is over', () => Date.now() - from > TTL_MS + 50);
      held[0]?.();
      expect(await first).toMatch(/^200 /);
    });
    expect(stores).toBe(0);
    const again = rig.ask('/slow/x', lines);
    await until('the application has it again', () => held.length === 2);
    held[1]?.();
    await again;
    expect(asked.length).toBe(2);
  });

  it('a lifetime counts from before the check: behind a slow authorizer nothing is left of it', async () => {
    const lines = fresh();
    const from = Date.now();
    let say = () => {};
    answer = (seen, reply) => {
      say = () => yes({ 'ory-cache-for': '60000' })(seen, reply);
    };
    const { stores } = await rig.during(async () => {
      const first = rig.ask('/admin/x', lines);
      await until('it is asked', () => asked.length === 1);
      await until('its time is over', () => Date.now() - from > TTL_MS + 50);
      say();
      expect(await first).toBe('200 ada /admin/x');
    });
    expect(stores).toBe(0);
  });

  it('an identity header that the yes has not is nobody’s, also where the edge would let it in', async () => {
    answer = yes({ 'ory-cache-for': '60000' });
    const lines = fresh();
    const forged = [...lines, ['X-User-Traits', 'forged'], ['X-User-Id', 'forged']] as const;
    await rig.ask('/admin/x', lines, { variant: 'open' });
    const counts = await rig.during(async () => {
      const seen = (await send(rig.url('open'), 'HTTP/1.1', { path: '/admin/x', headers: forged })).seen();
      expect(seen.header('x-user-id')).toEqual(['ada']);
      expect(seen.header('x-user-traits')).toEqual([]);
    }, 'open');
    expect(counts.hits).toBe(1);
  });

  it('what the application says of itself is no answer of the authorizer', async () => {
    answer = yes({ 'ory-rule': 'slow' });
    const lines = fresh();
    const words = { 'ory-cache-for': '60000', 'ory-rule': 'slow', 'ory-reason': 'session', 'ory-x-user-id': 'root' };
    const talking = createServer((_, response) => response.writeHead(200, words).end('{}'));
    slow.removeAllListeners('request');
    slow.on('request', (request, response) => talking.emit('request', request, response));
    const counts = await rig.during(async () => {
      for (let i = 0; i < 2; i++) expect(await rig.ask('/slow/x', lines)).toMatch(/^200 nobody/);
    });
    expect(counts).toMatchObject({ hits: 0, stores: 0, asked: 2 });
  });
});
