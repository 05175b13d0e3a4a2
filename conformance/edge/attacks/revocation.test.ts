// What was revoked, and who may revoke, turned against the edge.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { until } from '../../until.ts';
import { type Lines, send, sendRaw } from '../rig/client.ts';
import { type Edge, startEdge } from '../rig/edge.ts';
import { ADMIN_TOKEN, postRevoke } from '../rig/revoke.ts';
import { attack } from './classes.ts';
import { type Attacked, fileFor, outcome, startAttacked } from './rig.ts';
import { json, type ScriptedOry } from './scripted-ory.ts';

const ENDED = '401 session_invalid';
let attacked: Attacked;
let ory: ScriptedOry;

beforeAll(async () => {
  const cache = { ttl: '1h', negative_ttl: '0s', stale_if_error: '1h', edge_ttl: '0s' };
  attacked = await startAttacked({ cache, serve: { admin_token: ADMIN_TOKEN } });
  ory = attacked.ory;
});

afterAll(() => attacked?.close());

let made = 0;
function session(): { value: string; id: string; headers: Lines } {
  const [value, id] = [`s-${made++}`, randomUUID()];
  ory.session(value, 'ada', { id });
  return { value, id, headers: [['X-Session-Token', value]] };
}

/** Holds back the first answer about it, which Kratos looked up while it lived. */
function heldBack({ value, id }: { value: string; id: string }) {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  ory.before = async (request, response) => {
    if (request.headers['x-session-token'] !== value || asked++ > 0) return false;
    await gate.promise;
    json(response, 200, { id, active: true, authenticator_assurance_level: 'aal1', identity: { id: 'ada' } });
    return true;
  };
  return { asked: () => asked, answer: gate.resolve };
}

describe.each(TRANSPORTS)('checks over %s', (transport) => {
  const edge = () => attacked.edges[transport];
  const ask = ({ headers }: { headers: Lines }) => outcome(edge(), 'HTTP/1.1', '/admin/x', headers);

  describe(attack(14), () => {
    it('a session that was revoked is asked about by the next request, and an outage does not bring it back', async () => {
      const one = session();
      expect(await ask(one)).toBe('200 ada /admin/x');
      ory.revoke(one.value);
      expect(await ask(one)).toBe('200 ada /admin/x');
      ory.before = (_, response) => {
        response.destroy();
        return true;
      };
      try {
        expect((await postRevoke(edge(), { session: one.id })).status).toBe(200);
        expect(await ask(one)).toBe('503 ory_unreachable');
      } finally {
        ory.before = undefined;
      }
      expect(await ask(one)).toBe(ENDED);
    });

    it('a check after the revocation does not go by a call from before it', async () => {
      const one = session();
      const kratos = heldBack(one);
      try {
        const before = ask(one);
        await until('Kratos is asked', () => kratos.asked() === 1);
        ory.revoke(one.value);
        await postRevoke(edge(), { session: one.id });
        const reached = edge().app.count();
        const after = [ask(one), ask(one), ask(one)];
        await until('they wait as well', async () => (await waiting()) >= 4);
        kratos.answer();
        expect([await before, ...(await Promise.all(after))]).toEqual(['200 ada /admin/x', ENDED, ENDED, ENDED]);
        expect(edge().app.count()).toBe(reached + 1);
      } finally {
        ory.before = undefined;
      }
    });

    /** Requests that Envoy has taken and not answered. */
    const waiting = async (): Promise<number> => {
      const text = await (await fetch(`${edge().envoy.adminUrl}/stats?filter=downstream_rq_active`)).text();
      return Math.max(...[...text.matchAll(/^http\.(?!admin).*: (\d+)$/gm)].map(([, count]) => Number(count)));
    };
  });

  describe(attack(33), () => {
    it('without the token nobody is forgotten, whoever asks and however nearly it is the one', async () => {
      const one = session();
      expect(await ask(one)).toBe('200 ada /admin/x');
      ory.revoke(one.value);
      const tries: Lines[] = [
        [],
        [['Authorization', 'Bearer ']],
        [['Authorization', `Bearer ${ADMIN_TOKEN.slice(0, -1)}`]],
        [['Authorization', `Bearer ${ADMIN_TOKEN}x`]],
        [['Authorization', `Bearer ${ADMIN_TOKEN.toUpperCase()}`]],
        [['Authorization', `Basic ${ADMIN_TOKEN}`]],
        [['Cookie', `authorization=Bearer ${ADMIN_TOKEN}`]],
        [
          ['Origin', 'https://evil.test'],
          ['Content-Type', 'text/plain'],
        ],
      ];
      for (const headers of tries) {
        const answer = await send(edge().adminUrl, 'HTTP/1.1', { method: 'POST', path: '/revoke', headers });
        expect([headers, answer.status]).toEqual([headers, 401]);
        expect(answer.header('access-control-allow-origin')).toEqual([]);
      }
      expect(await ask(one), 'it is still remembered').toBe('200 ada /admin/x');
    });

    it('by way of the edge nobody reaches it', async () => {
      const bearer: Lines = [['Authorization', `Bearer ${ADMIN_TOKEN}`]];
      const answer = await send(edge().url, 'HTTP/1.1', { method: 'POST', path: '/revoke', headers: bearer });
      expect(answer.status).toBe(403);
      expect(answer.json()['reason']).toBe('no_rule');
      const direct = await send(edge().authorizerUrl, 'HTTP/1.1', { method: 'POST', path: '/revoke', headers: bearer });
      expect(direct.status).toBe(403);
    });

    it('a body without an end is cut off', async () => {
      const head = `POST /revoke HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\ntransfer-encoding: chunked\r\n\r\n`;
      const answer = await sendRaw(edge().adminUrl, `${head}1388\r\n${'a'.repeat(0x1388)}\r\n`, /\r\n\r\n.*\}/s);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    });
  });
});

describe(attack(14), () => {
  let edge: Edge;

  beforeAll(async () => {
    const file = fileFor(ory, { cache: { ttl: '1h', edge_ttl: '1h' }, serve: { admin_token: ADMIN_TOKEN } });
    edge = await startEdge(file, 'http', undefined, { byFile: true });
  });

  afterAll(() => edge?.close());

  const ask = ({ headers }: { headers: Lines }) => outcome(edge, 'HTTP/1.1', '/admin/x', headers);

  it('what Envoy remembers of a session is gone when its revocation is answered', async () => {
    const one = session();
    // Each worker of Envoy has a memory of its own.
    await until('every worker remembers it', async () => {
      const before = edge.envoyLog().split('"decided_by":"edge-cache"').length;
      for (let i = 0; i < 20; i++) expect(await ask(one)).toBe('200 ada /admin/x');
      return edge.envoyLog().split('"decided_by":"edge-cache"').length >= before + 20;
    });
    ory.revoke(one.value);
    expect(await ask(one)).toBe('200 ada /admin/x');
    expect(await postRevoke(edge, { session: one.id })).toMatchObject({ status: 200 });
    for (let i = 0; i < 20; i++) expect(await ask(one)).toBe(ENDED);
  });

  it('what a call from before the revocation answers is remembered by no edge cache', async () => {
    const one = session();
    const lifetime = async () => {
      const headers: Lines = [...one.headers, ['ory-edge-key', `admin t${one.value}`]];
      const answer = await send(edge.authorizerUrl, 'HTTP/1.1', { path: '/admin/x', headers });
      return [answer.status, answer.header('ory-cache-for').length];
    };
    const kratos = heldBack(one);
    try {
      const before = lifetime();
      await until('Kratos is asked', () => kratos.asked() === 1);
      expect((await postRevoke(edge, { session: one.id })).status).toBe(200);
      kratos.answer();
      expect(await before).toEqual([200, 0]);
      // It lives on: what Kratos says after the revocation may be remembered.
      expect(await lifetime()).toEqual([200, 1]);
    } finally {
      ory.before = undefined;
    }
  });

  it('a request that was under way does not bring it back to Envoy', async () => {
    const one = session();
    const kratos = heldBack(one);
    try {
      const before = ask(one);
      await until('Kratos is asked', () => kratos.asked() === 1);
      ory.revoke(one.value);
      expect((await postRevoke(edge, { session: one.id })).status).toBe(200);
      kratos.answer();
      expect(await before).toBe('200 ada /admin/x');
      for (let i = 0; i < 10; i++) expect(await ask(one)).toBe(ENDED);
    } finally {
      ory.before = undefined;
    }
  });
});
