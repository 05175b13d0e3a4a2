// Revocation with the edge cache on, fed by the authorizer: how long it takes from the order to the last request that is
// let in, under load, over both transports and with several workers; and what is said where Envoy cannot be told.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ory, Person, Session } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { until } from '../until.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { policy } from './rig/policy.ts';
import { ADMIN_TOKEN, postRevoke } from './rig/revoke.ts';

const LIMIT_MS = 100;
const RUNS = 10;
const CLIENTS = 4;
const WAYS = [
  { transport: 'http', workers: 1 },
  { transport: 'grpc', workers: 1 },
  { transport: 'http', workers: 2 },
] as const;

/** A request of a session: when it began, when its answer was there, and what it was. */
interface Asked {
  readonly beganAt: number;
  readonly answeredAt: number;
  readonly status: number;
}

/** Several clients that ask without a pause. */
function hammer(edge: Edge, { token }: Session): { readonly asked: Asked[]; stop(): Promise<void> } {
  const asked: Asked[] = [];
  let going = true;
  const client = async (): Promise<void> => {
    while (going) {
      const beganAt = performance.now();
      const answer = await fetch(`${edge.url}/app/x`, { headers: { 'x-session-token': token } });
      await answer.arrayBuffer();
      asked.push({ beganAt, answeredAt: performance.now(), status: answer.status });
      await delay(1);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  return {
    asked,
    stop: async () => {
      going = false;
      await clients;
    },
  };
}

const byEdgeCache = (edge: Edge) => edge.envoyLog().split('"decided_by":"edge-cache"').length - 1;
const median = (all: readonly number[]) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
const inMs = (all: readonly number[]) => `${median(all).toFixed(0)} ms (${Math.max(...all).toFixed(0)} at most)`;

describe.each(ORYS)('with $name', ({ name, start }) => {
  let ory: Ory;
  let person: Person;

  beforeAll(async () => {
    ory = await start();
    person = await ory.createPerson();
  });

  afterAll(() => ory?.close());

  describe.each(WAYS)('checks over $transport, $workers worker(s)', ({ transport, workers }) => {
    let edge: Edge;

    beforeAll(async () => {
      // Nothing ends by itself while the suite runs.
      const cache = { ttl: '1h', negative_ttl: '0s', edge_ttl: '1h', stale_if_error: '1h' };
      const file = { ...policy(ory, { cache }), serve: { admin_token: ADMIN_TOKEN } };
      edge = await startEdge(file, transport, undefined, { byFile: true, workers });
      await ask(await ory.login(person));
      await until('Envoy has its script', async () => (await postRevoke(edge, { all: true })).status === 200);
    });

    afterAll(() => edge?.close());

    const ask = async ({ token }: Session) =>
      (await fetch(`${edge.url}/app/x`, { headers: { 'x-session-token': token } })).status;

    it(`the request after the answer is refused, each of ${RUNS} times, and it takes less than ${LIMIT_MS} ms`, async () => {
      const orders: number[] = [];
      const refusals: number[] = [];
      const lasts: number[] = [];
      for (let i = 0; i < RUNS; i++) {
        const session = await ory.login(person);
        const load = hammer(edge, session);
        const before = byEdgeCache(edge);
        await until('Envoy goes by its memory', () => byEdgeCache(edge) > before + 20);
        await ory.revokeSession(session.id);
        const orderedAt = performance.now();
        const answer = await postRevoke(edge, { session: session.id });
        const answeredAt = performance.now();
        expect(answer).toEqual({ status: 200, body: { status: 'ok', edge_caches: 'emptied', remembered_for_ms: 0 } });
        const isAfter = ({ beganAt }: Asked) => beganAt > answeredAt;
        await until('it is asked for again', () => load.asked.filter(isAfter).length > 2 * CLIENTS);
        await load.stop();
        expect(load.asked.filter(isAfter).map(({ status }) => status)).not.toContain(200);
        const yeses = load.asked.filter(({ status, beganAt }) => status === 200 && beganAt > orderedAt);
        orders.push(answeredAt - orderedAt);
        refusals.push(Math.min(...load.asked.filter(isAfter).map((one) => one.answeredAt)) - answeredAt);
        lasts.push(Math.max(0, ...yeses.map(({ beganAt }) => beganAt - orderedAt)));
      }
      process.stdout.write(
        `${name}, ${transport}, ${workers} worker(s): POST /revoke took ${inMs(orders)}; the next request was refused ${inMs(refusals)} after its answer; the last one that was let in began ${inMs(lasts)} after the order\n`,
      );
      // Others use this machine: the middle one, of each.
      for (const all of [refusals, lasts, orders]) expect(median(all)).toBeLessThan(LIMIT_MS);
    });

    it('a hundred at once are a few pushes, and none of them is let in afterwards', async () => {
      const sessions: Session[] = [];
      for (let i = 0; i < 20; i++) sessions.push(await ory.login(person));
      for (const session of sessions) expect([await ask(session), await ask(session)]).toEqual([200, 200]);
      for (const { id } of sessions) await ory.revokeSession(id);
      const before = await pushes();
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, i) => {
          const session = sessions[i % sessions.length] as Session;
          const { status } = await postRevoke(edge, { session: session.id });
          return [status, await ask(session)];
        }),
      );
      expect(new Set(answers.map(String))).toEqual(new Set(['200,401']));
      expect((await pushes()) - before).toBeLessThan(20);
    });

    /** How often Envoy has taken a script. */
    const pushes = async (): Promise<number> => {
      const text = await (
        await fetch(`${edge.envoy.adminUrl}/stats?filter=extension_config_discovery.*update_success`)
      ).text();
      return [...text.matchAll(/: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    };

    it('where Envoy cannot be told, the answer is an error, and the authorizer has forgotten; then it is taken', async () => {
      const session = await ory.login(person);
      expect([await ask(session), await ask(session)]).toEqual([200, 200]);
      await ory.revokeSession(session.id);
      process.kill(edge.envoy.pid, 'SIGSTOP');
      let answer: Awaited<ReturnType<typeof postRevoke>>;
      try {
        answer = await postRevoke(edge, { session: session.id });
      } finally {
        process.kill(edge.envoy.pid, 'SIGCONT');
      }
      expect(answer).toMatchObject({ status: 503, body: { status: 'failed' } });
      expect(answer.body['problem']).toContain('may still remember');
      const direct = await fetch(`${edge.authorizerUrl}/app/x`, { headers: { 'x-session-token': session.token } });
      expect(direct.status).toBe(401);
      await until('it is tried again, and taken', async () => (await ask(session)) === 401);
      expect((await postRevoke(edge, { session: session.id })).status).toBe(200);
    });
  });
});
