// Credentials of another Ory, and sessions that come to their end while they are remembered.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ory } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { until } from '../until.ts';
import { type Lines, send } from './rig/client.ts';
import { AUDIENCE, policy } from './rig/policy.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

const LIFESPAN_SECONDS = 4;

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let foreign: Ory;
  let edges: Edges;

  beforeAll(async () => {
    ory = await start({ sessionLifespanSeconds: LIFESPAN_SECONDS });
    foreign = await start();
    edges = await startEdges(() => policy(ory, { cache: { ttl: '60s' } }));
  });

  afterAll(async () => {
    await edges?.close();
    await ory?.close();
    await foreign?.close();
  });

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    const reason = async (headers: Lines, path = '/app/x') => {
      const answer = await send(edges[transport].url, protocol, { path, headers });
      return answer.status === 200 ? 'allowed' : answer.json()['reason'];
    };

    it('a session of another Kratos is none', async () => {
      const person = await foreign.createPerson();
      const native = await foreign.login(person);
      const { cookie } = await foreign.loginBrowser(person);
      expect(await reason([['X-Session-Token', native.token]])).toBe('session_invalid');
      expect(await reason([['Authorization', `Bearer ${native.token}`]])).toBe('session_invalid');
      expect(await reason([['Cookie', `${cookie.name}=${cookie.value}`]])).toBe('session_invalid');
    });

    it('a token of another Hydra is from another issuer, or signed by nobody when it claims ours', async () => {
      const token = await foreign.accessToken({ audience: [AUDIENCE] });
      expect(await reason([['Authorization', `Bearer ${token}`]], '/api/x')).toBe('token_issuer_mismatch');
      const claims = {
        iss: ory.hydra.issuer,
        sub: 's',
        client_id: 'c',
        aud: [AUDIENCE],
        exp: Math.floor(Date.now() / 1_000) + 300,
        scp: [],
      };
      const forged = await foreign.sign(claims, { kid: 'foreign' });
      expect(await reason([['Authorization', `Bearer ${forged}`]], '/api/x')).toBe('token_key_unknown');
    });

    it('a remembered session ends when it ends, long before the cache would forget it', async () => {
      const session = await ory.login(await ory.createPerson());
      const headers: Lines = [['X-Session-Token', session.token]];
      expect(await reason(headers)).toBe('allowed');
      expect(await reason(headers)).toBe('allowed');
      await until(
        'the session has ended',
        async () => (await reason(headers)) === 'session_invalid',
        (LIFESPAN_SECONDS + 2) * 1_000,
      );
    });
  });
});
