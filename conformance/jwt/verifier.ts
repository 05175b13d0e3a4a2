// Our verifier, behind the whole check of a token rule, asked about the token cases: without Envoy, at one moment. No I/O.
import { createCheck } from '../../src/check/check.ts';
import { IdentityCache } from '../../src/check/identity/cache/memory.ts';
import { Jwks } from '../../src/check/identity/jwks.ts';
import { createJwtVerifier } from '../../src/check/identity/jwt.ts';
import { ThrottledLog } from '../../src/check/log.ts';
import { HeaderLines } from '../../src/check/request/header-lines.ts';
import { RecordingLog } from '../../src/check/testing/recording-log.ts';
import { parseConfig } from '../../src/config/load.ts';
import { type JwtCase, requestOf } from './cases.ts';
import { KEY_SETS, type KeySetName, makeKeys } from './keys.ts';
import { Maker } from './maker.ts';
import { POLICY } from './measure.ts';

const NOW = 1_800_000_000;
const keys = makeKeys();
const checks = new Map(KEY_SETS.map((set) => [set, checkWith(set)]));

function checkWith(set: KeySetName) {
  const config = parseConfig(POLICY, 'cases.yaml', { env: {} });
  const clock = () => NOW * 1_000;
  const log = new RecordingLog();
  const client = {
    get: async () => ({
      kind: 'answer' as const,
      status: 200,
      header: () => [],
      body: JSON.stringify({ keys: keys.sets[set] }),
    }),
    close: async () => {},
  };
  if (!config.tokens) throw new Error('the policy takes no tokens');
  const jwks = new Jwks({ url: config.tokens.jwksUrl, client, clock, log: new ThrottledLog(log, clock) });
  const token = createJwtVerifier({ ...config.tokens, jwks, clock });
  const cache = new IdentityCache({ ...config.cache, clock });
  return createCheck({ config, cache, verifiers: { session: undefined, token }, clock, log });
}

/** The reason of the verdict: `token` where the token is taken. */
export async function judge(one: JwtCase): Promise<string> {
  const { authorization, query } = requestOf(one, new Maker(keys, NOW));
  const lines = new HeaderLines();
  for (const line of authorization) lines.add('authorization', line);
  const verdict = await checks.get(one.keys ?? 'main')?.(lines.toRequest('GET', 'edge.test', `/x${query}`));
  return verdict?.reason ?? 'not judged';
}
