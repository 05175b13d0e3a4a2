// A signing key is rotated in the real Hydra while requests run, and Envoy keeps its keys for ten minutes: nobody is refused.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RealOry } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { until } from '../until.ts';
import { send } from './rig/client.ts';
import { counter } from './rig/counter.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { AUDIENCE, policy } from './rig/policy.ts';

const PER_SECOND = 50;

let ory: RealOry;
let edge: Edge;

beforeAll(async () => {
  ory = await startRealOry();
  const file = { ...policy(ory), tokens: { audiences: [AUDIENCE] } };
  edge = await startEdge(file, 'http', (yaml) => {
    const kept = yaml.replace('cache_duration: 60s', 'cache_duration: 600s');
    expect(kept).not.toBe(yaml);
    return kept;
  });
});
afterAll(async () => {
  await edge?.close();
  await ory?.close();
});

test('no token of the new key is refused, and none of the old one', async () => {
  const skipped = () => counter(edge.envoy, 'http.edge.ext_authz.ory.disabled');
  const tokens = [await ory.accessToken({ audience: [AUDIENCE] })];
  await until('Envoy says yes by itself', async () => {
    const before = await skipped();
    await get(tokens[0]);
    return (await skipped()) > before;
  });

  const answers: { readonly status: number; readonly fresh: boolean }[] = [];
  const under: Promise<void>[] = [];
  const timer = setInterval(() => {
    const token = tokens[under.length % tokens.length];
    const fresh = token !== tokens[0];
    under.push(get(token).then(({ status }) => void answers.push({ status, fresh })));
  }, 1_000 / PER_SECOND);
  try {
    await until('requests run', async () => answers.length >= PER_SECOND);
    await ory.rotateKey();
    for (let i = 0; i < 3; i++) tokens.push(await ory.accessToken({ audience: [AUDIENCE] }));
    const kids = new Set(
      tokens.map((token) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid),
    );
    expect(kids.size).toBe(2);
    await until(
      'tokens of both keys were used',
      async () => answers.filter(({ fresh }) => fresh).length >= 4 * PER_SECOND,
      20_000,
    );
  } finally {
    clearInterval(timer);
    await Promise.all(under);
  }
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);

  // Envoy does not know the new key all that time: the authorizer gave these.
  const before = await skipped();
  expect((await get(tokens[1])).status).toBe(200);
  expect(await skipped()).toBe(before);
  expect(edge.authorizer.log()).toContain('Envoy refused a token that is good');
});

function get(token: string | undefined) {
  return send(edge.url, 'HTTP/1.1', { path: '/api/x', headers: [['Authorization', `Bearer ${token}`]] });
}
