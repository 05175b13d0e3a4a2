// The last moments of a token, where the generated requests keep away from: Envoy counts whole seconds, and is never the
// more lenient of two.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { get, type Rig, startRig } from '../edge/envoy-rig.ts';
import { AUDIENCE, compact, ISSUER, makeKey } from '../jwt/issuer.ts';
import { until } from '../until.ts';
import { listen, response, type WireServer } from './wire.ts';

const key = makeKey('ES256', 'k');
const SKEWS: readonly [string, number][] = [
  ['60s', 60],
  ['2s', 2],
  ['1s', 1],
  ['0s', 0],
];

describe.each(SKEWS)('with a clock_skew of %s', (text, skew) => {
  let issuer: WireServer;
  let rig: Rig;

  beforeAll(async () => {
    issuer = await listen(() => response(200, JSON.stringify({ keys: [key.jwk] })));
    rig = await startRig({
      ory: `ory: { hydra: { issuer: "${ISSUER}", jwks_url: "http://127.0.0.1:${issuer.port}/" } }`,
      config: `
tokens: { audiences: ["${AUDIENCE}"], clock_skew: ${text} }
rules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]`,
    });
    if (skew >= 2) await until('Envoy has the keys', () => isNative((now) => ({ exp: now + 60 })), 10_000);
  });
  afterAll(async () => {
    await rig?.close();
    await issuer?.close();
  });

  /** Whether Envoy says yes by itself, early in a second. */
  async function isNative(change: (now: number) => object): Promise<boolean> {
    await until('a second has just begun', () => Date.now() % 1_000 > 20 && Date.now() % 1_000 < 300);
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: ISSUER, sub: 'u', client_id: 'c', aud: [AUDIENCE], exp: now + 60, ...change(now) };
    const token = compact(key, { alg: 'ES256', kid: 'k', typ: 'JWT' }, claims);
    const before = rig.checks.length;
    expect((await get(rig.port, '/x', [`authorization: Bearer ${token}`])).status).toBe(200);
    return rig.checks.length === before;
  }

  test('a token that is well within its time is not asked about', async () => {
    expect(await isNative((now) => ({ exp: now + 60, nbf: now - 1 }))).toBe(skew >= 2);
  });

  test('one whose time ended with this second is', async () => {
    expect(await isNative((now) => ({ exp: now - skew }))).toBe(false);
  });

  test('one whose time begins later in this second is', async () => {
    expect(await isNative((now) => ({ nbf: now + skew + 0.9 }))).toBe(false);
  });
});
