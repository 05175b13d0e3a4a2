// What was ended at Ory and is revoked is refused by the very next request, by whichever credential, over both transports.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import type { OAuth2Client, Ory, Person } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { expectNoCredential } from './rig/canary.ts';
import { type Lines, send } from './rig/client.ts';
import { AUDIENCE, policy } from './rig/policy.ts';
import { ADMIN_TOKEN, postRevoke } from './rig/revoke.ts';
import { type Edges, startEdges } from './rig/transports.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const EMPTIED = { status: 200, body: { status: 'ok', edge_caches: 'none', remembered_for_ms: 0 } };

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let person: Person;
  let edges: Edges;
  const used = [ADMIN_TOKEN];

  beforeAll(async () => {
    ory = await start();
    person = await ory.createPerson();
    // Nothing ends by itself while the suite runs.
    const cache = { ttl: '1h', negative_ttl: '0s', stale_if_error: '1h', edge_ttl: '0s' };
    edges = await startEdges(() => ({ ...policy(ory, { cache }), serve: { admin_token: ADMIN_TOKEN } }));
  });

  afterAll(async () => {
    await edges?.close();
    await ory?.close();
    for (const transport of TRANSPORTS) expectNoCredential(edges[transport], used);
  });

  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    const revoke = (body: object) => postRevoke(edges[transport], body);
    const reason = async (headers: Lines, path = '/app/x') => {
      const answer = await send(edges[transport].url, 'HTTP/1.1', { path, headers });
      return answer.status === 200 ? 'allowed' : answer.json()['reason'];
    };
    const login = async (of = person) => {
      const { id, token } = await ory.login(of);
      used.push(id, token);
      return { id, headers: [['X-Session-Token', token]] as Lines };
    };
    const loginBrowser = async () => {
      const { id, cookie } = await ory.loginBrowser(person);
      used.push(id, cookie.value);
      return { id, headers: [['Cookie', `${cookie.name}=${cookie.value}`]] as Lines };
    };

    it.each([
      ['a session token', login],
      ['a cookie', loginBrowser],
    ])('a session that ended at Kratos is refused after its revocation, by %s, and no other', async (_, begin) => {
      const [gone, other] = [await begin(), await begin()];
      expect([await reason(gone.headers), await reason(other.headers)]).toEqual(['allowed', 'allowed']);
      await ory.revokeSession(gone.id);
      expect(await reason(gone.headers), 'it is remembered').toBe('allowed');
      expect(await revoke({ session: gone.id })).toEqual(EMPTIED);
      expect([await reason(gone.headers), await reason(other.headers)]).toEqual(['session_invalid', 'allowed']);
    });

    it('a session that was logged out is refused after its revocation', async () => {
      const { id, token } = await ory.login(person);
      used.push(id, token);
      const bearer: Lines = [['Authorization', `Bearer ${token}`]];
      expect(await reason(bearer)).toBe('allowed');
      await ory.logout({ id, token });
      expect(await reason(bearer), 'it is remembered').toBe('allowed');
      await revoke({ session: id });
      expect(await reason(bearer)).toBe('session_invalid');
    });

    it('every session of an identity that was switched off is refused after its revocation', async () => {
      const somebody = await ory.createPerson();
      const both = [await login(somebody), await login(somebody)];
      const other = await login();
      const all = async () => [
        await reason(both[0]?.headers ?? []),
        await reason(both[1]?.headers ?? []),
        await reason(other.headers),
      ];
      expect(await all()).toEqual(['allowed', 'allowed', 'allowed']);
      await ory.setPersonState(somebody.id, 'inactive');
      expect(await all(), 'they are remembered').toEqual(['allowed', 'allowed', 'allowed']);
      await revoke({ identity: somebody.id });
      expect(await all()).toEqual(['session_invalid', 'session_invalid', 'allowed']);
    });

    it('an opaque token that was revoked at Hydra is refused once whom it stands for is revoked', async () => {
      const client = await ory.createClient({ audience: [AUDIENCE], strategy: 'opaque' });
      const { accessToken } = await ory.authorizationCode(person, client, { audience: [AUDIENCE] });
      used.push(accessToken);
      const bearer: Lines = [['Authorization', `Bearer ${accessToken}`]];
      expect(await reason(bearer, '/api/x')).toBe('allowed');
      expect(await ory.revokeToken(client, accessToken)).toBe(200);
      expect(await reason(bearer, '/api/x'), 'it is remembered').toBe('allowed');
      const { sub } = (await ory.introspect(await fresh(client))) as { sub: string };
      await revoke({ identity: sub });
      expect(await reason(bearer, '/api/x')).toBe('token_inactive');
    });

    /** Another token of the same person, to read their `sub` of. */
    const fresh = async (client: OAuth2Client) =>
      (await ory.authorizationCode(person, client, { audience: [AUDIENCE] })).accessToken;

    it('what still lives at Ory is asked about once and goes on, and so does a JWT', async () => {
      const session = await login();
      const jwt: Lines = [['Authorization', `Bearer ${await ory.accessToken({ audience: [AUDIENCE] })}`]];
      expect([await reason(session.headers), await reason(jwt, '/api/x')]).toEqual(['allowed', 'allowed']);
      expect(await revoke({ all: true })).toEqual(EMPTIED);
      expect([await reason(session.headers), await reason(jwt, '/api/x')]).toEqual(['allowed', 'allowed']);
    });

    it('the command revokes one session, or everything at once', async () => {
      const all = [await login(), await login()];
      for (const one of all) {
        expect(await reason(one.headers)).toBe('allowed');
        await ory.revokeSession(one.id);
      }
      const first = await command(['--session', all[0]?.id ?? '', '--json']);
      expect([first.code, JSON.parse(first.out)]).toEqual([0, EMPTIED.body]);
      expect(await reason(all[0]?.headers ?? [])).toBe('session_invalid');
      expect(await reason(all[1]?.headers ?? [])).toBe('allowed');
      expect(await command(['--all'])).toMatchObject({
        code: 0,
        out: expect.stringContaining('Forgotten: everything.'),
      });
      expect(await reason(all[1]?.headers ?? [])).toBe('session_invalid');
    });

    it('nobody revokes without the token', async () => {
      const answer = await fetch(`${edges[transport].adminUrl}/revoke`, { method: 'POST', body: '{"all":true}' });
      expect(answer.status).toBe(401);
    });

    const command = (args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> =>
      new Promise((resolve, reject) => {
        const { configFile } = edges[transport];
        const child = spawn(process.execPath, [MAIN, 'revoke', '-c', configFile, ...args], { timeout: 30_000 });
        let [out, err] = ['', ''];
        child.stdout.on('data', (data: Buffer) => (out += data.toString()));
        child.stderr.on('data', (data: Buffer) => (err += data.toString()));
        child.on('error', reject);
        child.on('close', (code) => resolve({ code, out, err }));
      });
  });
});
