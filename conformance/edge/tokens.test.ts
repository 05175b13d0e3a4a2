// JWT access tokens through a real Envoy, issued by a real Hydra, over HTTP/1.1 and HTTP/2.
import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS, type Transport } from '../../src/generate/envoy/transport.ts';
import type { Ory } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { until } from '../until.ts';
import { expectNoCredential } from './rig/canary.ts';
import { type Lines, send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import type { Edge } from './rig/edge.ts';
import { AUDIENCE, OTHER_AUDIENCE, policy } from './rig/policy.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let proxies: Record<Transport, CountingProxy>;
  let hydra: CountingProxy;
  let edges: Edges;
  let edge: Edge;
  let used: string[] = [];

  beforeAll(async () => {
    ory = await start();
    proxies = {
      http: await startCountingProxy(ory.hydra.publicUrl),
      grpc: await startCountingProxy(ory.hydra.publicUrl),
    };
    edges = await startEdges((transport) => policy(ory, { hydraUrl: proxies[transport].url }));
  });

  afterAll(async () => {
    await edges?.close();
    for (const transport of TRANSPORTS) await proxies?.[transport].close();
    await ory?.close();
    for (const transport of TRANSPORTS) expectNoCredential(edges[transport], used);
  });

  const now = () => Math.floor(Date.now() / 1_000);
  const JWKS = '/.well-known/jwks.json';

  /** The claims of a good token; a case changes one thing. */
  function good(change: Record<string, unknown> = {}): Record<string, unknown> {
    const claims = {
      iss: ory.hydra.issuer,
      sub: 'service',
      client_id: 'service',
      aud: [AUDIENCE],
      exp: now() + 300,
      iat: now(),
      nbf: now(),
      jti: 'j',
      scp: ['read'],
      ext: {},
      ...change,
    };
    return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  }

  describe.each(WAYS)('tokens over $protocol, checks over $transport', ({ protocol, transport }) => {
    beforeAll(() => {
      edge = edges[transport];
      hydra = proxies[transport];
    });

    const bearer = (token: string, path = '/api/x', more: Lines = []) => {
      used = [...used, token];
      return send(edge.url, protocol, { path, headers: [['Authorization', `Bearer ${token}`], ...more] });
    };

    it('lets a token of Hydra in and says whose it is', async () => {
      const token = await ory.accessToken({ audience: [AUDIENCE], scope: 'read' });
      const answer = await bearer(token);
      expect(answer.status).toBe(200);
      const [, payload = ''] = token.split('.');
      expect(answer.seen().header('x-user-id')).toEqual([JSON.parse(Buffer.from(payload, 'base64url').toString()).sub]);
      expect(answer.seen().header('authorization')).toEqual([`Bearer ${token}`]);
    });

    it('judges the audience by the rule', async () => {
      const token = await ory.accessToken({ audience: [OTHER_AUDIENCE] });
      expect((await bearer(token, '/other/x')).status).toBe(200);
      expect((await bearer(token)).json()['reason']).toBe('token_audience_mismatch');
      const both = await ory.accessToken({ audience: [AUDIENCE, OTHER_AUDIENCE] });
      expect([(await bearer(both)).status, (await bearer(both, '/other/x')).status]).toEqual([200, 200]);
    });

    it('refuses a token of Hydra without an audience, and one that has expired', async () => {
      expect((await bearer(await ory.accessToken())).json()['reason']).toBe('token_audience_mismatch');
      const brief = await ory.accessToken({ audience: [AUDIENCE], lifespanSeconds: 1 });
      await until('the token has expired', async () => (await bearer(brief)).status === 401, 5_000);
      expect((await bearer(brief)).json()['reason']).toBe('token_expired');
    });

    it('accepts a token made by hand with a published key', async () => {
      expect((await bearer(await ory.sign(good()))).status).toBe(200);
      expect((await bearer(await ory.sign(good({ aud: AUDIENCE })))).status).toBe(200);
    });

    const claims: [string, () => Record<string, unknown>, string][] = [
      ['another issuer', () => ({ iss: 'https://evil.test/' }), 'token_issuer_mismatch'],
      [
        'the issuer with a slash more or less at its end',
        () => ({ iss: otherSlash(ory.hydra.issuer) }),
        'token_issuer_mismatch',
      ],
      ['no issuer', () => ({ iss: undefined }), 'token_issuer_mismatch'],
      ['another audience', () => ({ aud: ['https://evil.test'] }), 'token_audience_mismatch'],
      ['an audience with a trailing slash', () => ({ aud: [`${AUDIENCE}/`] }), 'token_audience_mismatch'],
      ['an audience without scheme', () => ({ aud: ['api.test'] }), 'token_audience_mismatch'],
      ['no audience', () => ({ aud: undefined }), 'token_audience_mismatch'],
      ['a numeric audience', () => ({ aud: 1 }), 'token_malformed'],
      ['a past expiry', () => ({ exp: now() - 5 }), 'token_expired'],
      ['no expiry', () => ({ exp: undefined }), 'token_malformed'],
      ['an expiry that is a string', () => ({ exp: String(now() + 300) }), 'token_malformed'],
      ['a start in the future', () => ({ nbf: now() + 60 }), 'token_not_yet_valid'],
      ['no client_id, as an ID token', () => ({ client_id: undefined, scp: undefined }), 'token_kind_wrong'],
      ['an at_hash, as an ID token', () => ({ at_hash: 'x' }), 'token_kind_wrong'],
      ['events, as a logout token', () => ({ events: {} }), 'token_kind_wrong'],
      ['a numeric subject', () => ({ sub: 7 }), 'token_malformed'],
    ];
    it.each(claims)('refuses a token with %s', async (_name, change, reason) => {
      const answer = await bearer(await ory.sign(good(change())));
      expect([answer.status, answer.json()['reason']]).toEqual([401, reason]);
      expect(answer.header('www-authenticate')).toEqual([
        expect.stringMatching(/^Bearer realm="[^"]+", error="invalid_token", error_description="[^"]+"$/),
      ]);
    });

    const headers: [string, Record<string, unknown>, string][] = [
      ['typ logout+jwt', { typ: 'logout+jwt' }, 'token_kind_wrong'],
      ['an unknown kid', { kid: 'nobody' }, 'token_key_unknown'],
      ['no kid', { kid: undefined }, 'token_key_unknown'],
      ['a jku', { jku: 'http://127.0.0.1:1/jwks.json' }, 'token_malformed'],
      ['a jwk', { jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }, 'token_malformed'],
      ['an x5u', { x5u: 'http://127.0.0.1:1/cert' }, 'token_malformed'],
      ['an x5c', { x5c: ['AA=='] }, 'token_malformed'],
    ];
    it.each(headers)('refuses a token with %s in its header', async (_name, change, reason) => {
      const answer = await bearer(await ory.sign(good(), change));
      expect([answer.status, answer.json()['reason']]).toEqual([401, reason]);
    });

    it('refuses a token of a foreign key under a known kid', async () => {
      const token = await ory.sign(good());
      const kid = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
      const { privateKey } = await generateKeyPair('RS256');
      const forged = await new SignJWT(good()).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(privateKey);
      expect((await bearer(forged)).json()['reason']).toBe('token_signature_invalid');
    });

    it('refuses alg none, and a token signed with the public key as a secret', async () => {
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const none = `${encode({ alg: 'none', typ: 'JWT' })}.${encode(good())}.AA`;
      expect((await bearer(none)).json()['reason']).toBe('token_algorithm_forbidden');
      const { keys } = (await (await fetch(`${ory.hydra.publicUrl}${JWKS}`)).json()) as { keys: { kid: string }[] };
      const confused = await new SignJWT(good())
        .setProtectedHeader({ alg: 'HS256', kid: keys[0]?.kid ?? '' })
        .sign(Buffer.from(JSON.stringify(keys[0])));
      expect((await bearer(confused)).json()['reason']).toBe('token_algorithm_forbidden');
    });

    it('refuses every other spelling of a good token', async () => {
      const token = await ory.sign(good());
      for (const spelling of [
        `${token}=`,
        `${token}==`,
        token.replace('.', '..'),
        `${token}.`,
        `.${token}`,
        `${token}.x`,
        `${token}A`,
      ]) {
        expect((await bearer(spelling)).status, spelling.length.toString()).toBe(401);
      }
      expect((await send(edge.url, protocol, { path: `/api/x?access_token=${token}` })).json()['reason']).toBe(
        'credential_missing',
      );
    });

    it('takes no session where a token is required, and no token where a session is', async () => {
      const session = await ory.login(await ory.createPerson());
      for (const headers of [
        [['X-Session-Token', session.token]],
        [['Authorization', `Bearer ${session.token}`]],
      ] as Lines[]) {
        const answer = await send(edge.url, protocol, { path: '/api/x', headers });
        expect(answer.json()['reason']).toBe('credential_missing');
        expect(answer.header('www-authenticate')).toEqual([expect.stringMatching(/^Bearer realm="[^"]+"$/)]);
      }
      expect((await bearer(await ory.sign(good()), '/app/x')).json()['reason']).toBe('session_invalid');
    });

    it('lets the new key’s tokens in at once after a rotation, and the old key’s as well', async () => {
      const old = await ory.accessToken({ audience: [AUDIENCE] });
      expect((await bearer(old)).status).toBe(200);
      await ory.rotateKey();
      const fresh = await ory.accessToken({ audience: [AUDIENCE] });
      const kid = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
      expect(kid(fresh)).not.toBe(kid(old));
      // The cooldown after the unknown kids above is two seconds.
      await until('the new key is known', async () => (await bearer(fresh)).status === 200, 4_000);
      expect((await bearer(old)).status).toBe(200);
    });

    it('asks Hydra at most once per cooldown, whoever invents key ids', async () => {
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) =>
          bearer(await ory.sign(good(), { kid: `invented-${protocol}-${i}` })),
        ),
      );
      hydra.reset();
      const started = Date.now();
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => bearer(await ory.sign(good(), { kid: `more-${protocol}-${i}` }))),
      );
      const seconds = (Date.now() - started) / 1_000;
      // Envoy's own jwt_authn fetches in the background as well, once per cache duration.
      expect(hydra.count(JWKS)).toBeLessThanOrEqual(Math.ceil(seconds / 2) + 1);
      expect((await bearer(await ory.sign(good()))).status).toBe(200);
    });
  });
});

function otherSlash(issuer: string): string {
  return issuer.endsWith('/') ? issuer.slice(0, -1) : `${issuer}/`;
}
