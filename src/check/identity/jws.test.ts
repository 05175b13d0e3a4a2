// Attacks on the form, the header and the signature of a token.
import { createHmac } from 'node:crypto';
import { type CryptoKey, exportSPKI, importJWK } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { encode, hydraClaims, IssuerRig, type Key, makeKey, sign } from '../testing/issuer.ts';
import { isStrictBase64url, readJws } from './jws.ts';

let es: Key;
let rs: Key;
beforeAll(async () => {
  [es, rs] = await Promise.all([makeKey('ES256', 'es'), makeKey('RS256', 'rs')]);
});

function rig() {
  const issuer = new IssuerRig([es.jwk, rs.jwk]);
  return { issuer, claims: hydraClaims(issuer.clock) };
}

function hmac(header: object, claims: object, secret: string | Buffer): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

describe('algorithms', () => {
  test.each(['none', 'None', 'NONE', 'HS256', 'HS384', 'HS512', 'es256', 'ES256K', 'RSA-OAEP', 'dir', ''])(
    '%j is forbidden',
    async (alg) => {
      const { issuer, claims } = rig();
      expect(await issuer.judge(`${encode({ alg, kid: 'es', typ: 'JWT' })}.${encode(claims)}.AAAA`)).toBe(
        'token_algorithm_forbidden',
      );
      expect(issuer.asked).toEqual([]);
    },
  );

  test.each([[1], [null], [['ES256']], [undefined]])('%j as alg is malformed', async (alg) => {
    const { issuer, claims } = rig();
    expect(await issuer.judge(`${encode({ alg, kid: 'es' })}.${encode(claims)}.AAAA`)).toBe('token_malformed');
  });

  test('none without a signature is malformed', async () => {
    const { issuer, claims } = rig();
    expect(await issuer.judge(`${encode({ alg: 'none' })}.${encode(claims)}.`)).toBe('token_malformed');
  });

  test('a public key does not sign as a secret', async () => {
    const { issuer, claims } = rig();
    const pem = await exportSPKI((await importJWK(rs.jwk, 'RS256', { extractable: true })) as CryptoKey);
    for (const secret of [pem, pem.trim(), JSON.stringify(rs.jwk), Buffer.from(rs.jwk.n ?? '', 'base64url')]) {
      const header = { alg: 'HS256', kid: 'rs', typ: 'JWT' };
      expect(await issuer.judge(hmac(header, claims, secret))).toBe('token_algorithm_forbidden');
      expect(await issuer.judge(hmac({ ...header, alg: 'RS256' }, claims, secret))).toBe('token_signature_invalid');
    }
  });

  test('a key is used for its own algorithm alone', async () => {
    const { issuer, claims } = rig();
    for (const alg of ['RS512', 'PS256', 'ES256', 'EdDSA']) {
      const [, payload, signature] = (await sign(rs, claims)).split('.');
      const token = `${encode({ alg, kid: 'rs', typ: 'JWT' })}.${payload}.${signature}`;
      expect(['token_key_unknown', 'token_signature_invalid'], alg).toContain(await issuer.judge(token));
    }
  });
});

describe('signatures', () => {
  const der = (r: Buffer, s: Buffer): Buffer => {
    const int = (n: Buffer): Buffer => {
      const padded = (n[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), n]) : n;
      return Buffer.concat([Buffer.from([2, padded.length]), padded]);
    };
    const both = Buffer.concat([int(r), int(s)]);
    return Buffer.concat([Buffer.from([0x30, both.length]), both]);
  };

  test.each<[string, (good: Buffer) => Buffer]>([
    ['zeros', () => Buffer.alloc(64)],
    ['r alone zero', (good) => Buffer.concat([Buffer.alloc(32), good.subarray(32)])],
    ['s alone zero', (good) => Buffer.concat([good.subarray(0, 32), Buffer.alloc(32)])],
    ['DER', (good) => der(good.subarray(0, 32), good.subarray(32))],
    ['one byte less', (good) => good.subarray(0, 63)],
    ['one byte more', (good) => Buffer.concat([good, Buffer.alloc(1)])],
    ['twice', (good) => Buffer.concat([good, good])],
    ['one bit', (good) => Buffer.from(good.map((byte, i) => (i === 40 ? byte ^ 1 : byte)))],
    ['one byte', () => Buffer.from([1])],
  ])('of ES256 as %s are refused', async (_, change) => {
    const { issuer, claims } = rig();
    const token = await sign(es, claims);
    const dot = token.lastIndexOf('.');
    const changed = change(Buffer.from(token.slice(dot + 1), 'base64url')).toString('base64url');
    expect(await issuer.judge(`${token.slice(0, dot)}.${changed}`)).toBe('token_signature_invalid');
    expect(await issuer.judge(token)).toBe('verified');
  });

  test('over other claims or another header are refused', async () => {
    const { issuer, claims } = rig();
    const [header, payload, signature] = (await sign(es, claims)).split('.');
    expect(await issuer.judge(`${header}.${encode({ ...claims, sub: 'admin' })}.${signature}`)).toBe(
      'token_signature_invalid',
    );
    expect(await issuer.judge(`${encode({ alg: 'ES256', kid: 'es' })}.${payload}.${signature}`)).toBe(
      'token_signature_invalid',
    );
  });

  test('of another issuer’s key under a known kid are refused', async () => {
    const { issuer, claims } = rig();
    expect(await issuer.judge(await sign(await makeKey('ES256', 'es'), claims))).toBe('token_signature_invalid');
  });
});

describe('header members', () => {
  test.each(['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'zip'])(
    '%s is refused, and no address in it is asked',
    async (member) => {
      const { issuer, claims } = rig();
      const own = await makeKey('ES256', 'es');
      const value = {
        crit: ['exp'],
        jwk: own.jwk,
        jku: 'https://evil.example/jwks',
        x5u: 'https://evil.example/x',
        x5c: ['AAAA'],
        b64: false,
        zip: 'DEF',
      }[member];
      const [, payload, signature] = (await sign(own, claims)).split('.');
      for (const one of [value, null, '']) {
        const header = encode({ alg: 'ES256', kid: 'es', typ: 'JWT', [member]: one });
        expect(await issuer.judge(`${header}.${payload}.${signature}`)).toBe('token_malformed');
      }
      expect(issuer.asked).toEqual([]);
    },
  );

  test.each([
    ['JWT', 'verified'],
    ['jwt', 'verified'],
    ['at+jwt', 'verified'],
    ['application/at+jwt', 'verified'],
    [undefined, 'verified'],
    ['logout+jwt', 'token_kind_wrong'],
    ['dpop+jwt', 'token_kind_wrong'],
    ['JWE', 'token_kind_wrong'],
    ['', 'token_kind_wrong'],
    [1, 'token_malformed'],
  ])('typ %j: %s', async (typ, result) => {
    const { issuer, claims } = rig();
    expect(await issuer.judge(await sign(es, claims, { typ }))).toBe(result);
  });

  test.each([[undefined], [''], ['nobody'], ['ES'], [1], [null], [['es']]])('kid %j is no key', async (kid) => {
    const { issuer, claims } = rig();
    const [, payload, signature] = (await sign(es, claims)).split('.');
    expect(await issuer.judge(`${encode({ alg: 'ES256', typ: 'JWT', kid })}.${payload}.${signature}`)).toBe(
      'token_key_unknown',
    );
  });
});

describe('form', () => {
  test('a token has one spelling', async () => {
    const { issuer, claims } = rig();
    // 64 bytes make 86 characters: the last one has four bits left over.
    const token = await sign(es, claims);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    for (let bits = 1; bits < 16; bits++) {
      expect(await issuer.judge(token.slice(0, -1) + alphabet[last | bits])).toBe('token_malformed');
    }
    for (const spelling of [
      `${token}=`,
      `${token}==`,
      `${token} `,
      ` ${token}`,
      `${token}\n`,
      token.replace('.', ' .'),
      token.replaceAll('-', '+').replaceAll('_', '/').replace('.', '=.'),
    ]) {
      expect(await issuer.judge(spelling), JSON.stringify(spelling.slice(-4))).toBe('token_malformed');
    }
  });

  test.each([
    ['', true],
    ['A', false],
    ['AA', true],
    ['AB', false],
    ['AAA', true],
    ['AAB', false],
    ['AAAA', true],
    ['AA==', false],
    ['A-_9', true],
    ['A+/9', false],
    ['AA A', false],
    ['AAé', false],
  ])('%j is strict base64url: %s', (text, strict) => {
    expect(isStrictBase64url(text)).toBe(strict);
  });

  test.each([
    '..',
    'a..',
    '.a.',
    '..a',
    'e30..AA',
    '.e30.AA',
    'e30.e30.',
    'e30.e30',
    'e30.e30.AA.AA',
    'bm8.e30.AA',
    'e30.W10.AA',
    '_w.e30.AA',
  ])('%s is no token', (token) => {
    expect(readJws(token)).toBeUndefined();
  });

  test('longer than 60 KiB is not parsed', async () => {
    const { issuer, claims } = rig();
    expect(await issuer.judge(await sign(es, { ...claims, pad: 'x'.repeat(40_000) }))).toBe('verified');
    expect(await issuer.judge(await sign(es, { ...claims, pad: 'x'.repeat(46_000) }))).toBe('token_malformed');
    // No more is asked of it than its length: it has no other member.
    expect(readJws({ length: 61_441 } as unknown as string)).toBeUndefined();
  });
});
