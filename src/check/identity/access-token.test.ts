// Who is asked about which token: keys about a JWT, Hydra about an opaque one, nobody about the rest.
import { describe, expect, test } from 'vitest';
import { createAccessTokenVerifier } from './access-token.ts';
import { rejected, type TokenIdentity, type Verifier } from './identity.ts';

function rig({ withOpaque = true } = {}) {
  const asked: string[] = [];
  const verifier = (name: string): Verifier => ({
    verify: async () => {
      asked.push(name);
      return rejected('token_malformed');
    },
    stillTrusted: () => {
      asked.push(`${name} trusts`);
      return true;
    },
  });
  const token = createAccessTokenVerifier({
    jwt: verifier('keys'),
    opaque: withOpaque ? verifier('Hydra') : undefined,
  });
  const judge = async (value: string) => {
    const verification = await token.verify({ kind: 'access_token', value });
    return verification.kind === 'rejected' ? verification.reason : verification.kind;
  };
  return { asked, token, judge };
}

describe('a token', () => {
  test.each([
    ['a.b.c', 'keys'],
    ['..', 'keys'],
    ['eyJhbGciOiJub25lIn0.e30.', 'keys'],
    ['ory_at_x', 'Hydra'],
    ['ory_at_x.y', 'Hydra'],
    ['ory_at_x.y.z', 'Hydra'],
    ['ory_at_', 'Hydra'],
    ['opaque', 'Hydra'],
    ['a.b', 'Hydra'],
    ['.', 'Hydra'],
    ['ory', 'Hydra'],
    ['ORY_RT_x', 'Hydra'],
  ])('%j is for %s', async (token, who) => {
    const { judge, asked } = rig();
    expect([await judge(token), asked]).toEqual(['token_malformed', [who]]);
  });

  test.each([
    ['a JWE', 'a.b.c.d.e'],
    ['a JWE without an encrypted key', 'a..c.d.e'],
    ['four parts', 'a.b.c.d'],
    ['dots', '....'],
    ['many dots', '.'.repeat(16_000)],
    ['a refresh token', 'ory_rt_x.y'],
    ['a refresh token in the shape of a JWT', 'ory_rt_x.y.z'],
    ['an authorization code', 'ory_ac_x.y'],
    ['a project API key', 'ory_pat_x'],
    ['another', 'ory_apikey_x'],
    ['a mark that is not known', 'ory_new_x'],
    ['a bare mark', 'ory_'],
  ])('%s is of the wrong kind, and sent to nobody', async (_, token) => {
    const { judge, asked } = rig();
    expect([await judge(token), asked]).toEqual(['token_kind_wrong', []]);
  });

  test('that is opaque and too long is malformed, and sent to nobody', async () => {
    const { judge, asked } = rig();
    expect([await judge(`ory_at_${'x'.repeat(4_090)}`), asked]).toEqual(['token_malformed', []]);
    expect([await judge(`ory_at_${'x'.repeat(4_089)}`), asked]).toEqual(['token_malformed', ['Hydra']]);
  });

  test.each(['ory_at_x', 'opaque', 'a.b'])('%s is of the wrong kind where nobody is to be asked', async (token) => {
    const { judge, asked } = rig({ withOpaque: false });
    expect([await judge(token), asked]).toEqual(['token_kind_wrong', []]);
    expect([await judge('a.b.c'), asked]).toEqual(['token_malformed', ['keys']]);
  });
});

describe('a remembered identity', () => {
  const base = { kind: 'token', claims: {}, audiences: [] } as const;
  const byKey: TokenIdentity = { ...base, proof: 'key', key: { kid: 'k', material: 'm' }, expiresAtMs: 1 };
  const byWord: TokenIdentity = { ...base, proof: 'introspection', expiresAtMs: undefined };

  test('is trusted by whoever has proved it', () => {
    const { token, asked } = rig();
    expect([token.stillTrusted(byKey), token.stillTrusted(byWord)]).toEqual([true, true]);
    expect(asked).toEqual(['keys trusts', 'Hydra trusts']);
  });

  test('is not trusted where that one is gone, nor where it is no token', () => {
    const { token } = rig({ withOpaque: false });
    expect(token.stillTrusted(byWord)).toBe(false);
    expect(token.stillTrusted({ kind: 'session', session: {}, expiresAtMs: undefined })).toBe(false);
  });
});
