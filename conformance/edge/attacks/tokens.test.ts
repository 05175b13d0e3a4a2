// Access tokens made to be taken for what they are not. Every one is signed right, but for the one thing that is wrong.
import { generateKeyPairSync, sign as signRaw } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../rig/client.ts';
import { WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Attacked, outcome, startAttacked } from './rig.ts';
import { claimsOf, type Key, makeKey, type ScriptedOry, sign } from './scripted-ory.ts';

let attacked: Attacked;
let ory: ScriptedOry;

beforeAll(async () => {
  attacked = await startAttacked();
  ory = attacked.ory;
});

afterAll(() => attacked?.close());

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const good = (change: Record<string, unknown> = {}) => claimsOf(ory, change);
const rs = (header: Record<string, unknown> = {}, claims: Record<string, unknown> | string = good()) =>
  sign(ory.rs256, claims, header);
const partsOf = (token: string) => token.split('.') as [string, string, string];

describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
  const ask = (token: string, path = '/api/x') =>
    outcome(attacked.edges[transport], protocol, path, [['Authorization', `Bearer ${token}`]]);

  it('good tokens are taken, so that the rest means something', async () => {
    expect(await ask(await rs())).toBe('200 ada /api/x');
    expect(await ask(await sign(ory.es256, good()))).toBe('200 ada /api/x');
    expect(await ask(await rs({ typ: 'at+jwt' }, good({ aud: 'https://api.test' })))).toBe('200 ada /api/x');
  });

  describe(attack(17), () => {
    const FORBIDDEN = '401 token_algorithm_forbidden';
    it.each<[string, () => Promise<string> | string, string]>([
      ['none', () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(good())}.AA`, FORBIDDEN],
      ['none with a kid', () => `${encode({ alg: 'none', kid: 'rs' })}.${encode(good())}.AA`, FORBIDDEN],
      ['None', () => `${encode({ alg: 'None', kid: 'rs' })}.${encode(good())}.AA`, FORBIDDEN],
      ['none without a signature', () => `${encode({ alg: 'none' })}.${encode(good())}.`, '401 token_malformed'],
      ['the public key as a secret', () => hmac(JSON.stringify(ory.rs256.jwk)), FORBIDDEN],
      ['the public key’s modulus as a secret', () => hmac(ory.rs256.jwk.n ?? ''), FORBIDDEN],
      ['an algorithm in another case', async () => relabel(await rs(), { alg: 'rs256' }), FORBIDDEN],
      ['another algorithm of the same key', async () => relabel(await rs(), { alg: 'PS256' }), '401 token_key_unknown'],
      ['a key of another type', async () => relabel(await rs(), { alg: 'ES256' }), '401 token_key_unknown'],
      ['no algorithm', async () => relabel(await rs(), { alg: undefined }), '401 token_malformed'],
      ['a list of algorithms', async () => relabel(await rs(), { alg: ['RS256'] }), '401 token_malformed'],
      ['crit', () => rs({ crit: ['x'], x: 1 }), '401 token_malformed'],
      ['an empty crit', async () => relabel(await rs(), { crit: [] }), '401 token_malformed'],
      ['b64', () => rs({ b64: true, crit: ['b64'] }), '401 token_malformed'],
      ['zip', () => rs({ zip: 'DEF' }), '401 token_malformed'],
    ])('no token chooses how it is verified: %s', async (_, token, expected) => {
      expect(await ask(await token())).toBe(expected);
    });

    const hmac = (secret: string) =>
      new SignJWT(good()).setProtectedHeader({ alg: 'HS256', kid: 'rs' }).sign(Buffer.from(secret));
  });

  describe(attack(18), () => {
    it('a signature is 64 bytes that are the key’s: not zero, not DER, not short, not long, not somebody else’s', async () => {
      const token = await sign(ory.es256, good());
      const [head, body, signature] = partsOf(token);
      const bytes = Buffer.from(signature, 'base64url');
      const [r, s] = [bytes.subarray(0, 32), bytes.subarray(32)];
      const stranger = await makeKey('ES256', 'es');
      const strangers = partsOf(await sign(stranger, good()))[2];
      const forged: Record<string, Buffer> = {
        zero: Buffer.alloc(64),
        'r zero': Buffer.concat([Buffer.alloc(32), s]),
        's zero': Buffer.concat([r, Buffer.alloc(32)]),
        'the group’s order': Buffer.concat([ORDER, ORDER]),
        'DER of the right one': der(r, s),
        short: bytes.subarray(0, 63),
        long: Buffer.concat([bytes, Buffer.alloc(1)]),
        'one byte': Buffer.alloc(1),
        'a flipped bit': Buffer.concat([Buffer.from([(bytes[0] ?? 0) ^ 1]), bytes.subarray(1)]),
        'a stranger’s': Buffer.from(strangers, 'base64url'),
      };
      for (const [name, value] of Object.entries(forged))
        expect([name, await ask(`${head}.${body}.${value.toString('base64url')}`)]).toEqual([
          name,
          '401 token_signature_invalid',
        ]);
      const other = encode({ ...good(), sub: 'root' });
      expect(await ask(`${head}.${other}.${signature}`)).toBe('401 token_signature_invalid');
      expect(await ask(token)).toBe('200 ada /api/x');
    });
  });

  describe(attack(19), () => {
    it('a token brings no key, and sends nobody anywhere to fetch one', async () => {
      const own = await makeKey('RS256', 'rs');
      const away = `${ory.url}/evil/keys.json`;
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
      const selfMade = signRaw('sha256', Buffer.from('x'), privateKey).toString('base64url');
      const since = ory.asked.length;
      const members: Record<string, unknown> = { jwk: own.jwk, jku: away, x5u: away, x5c: ['MIIB'] };
      for (const [name, value] of Object.entries(members)) {
        // Signed by the right key, and by the one that it brings.
        expect([name, await ask(await rs({ [name]: value }))]).toEqual([name, '401 token_malformed']);
        expect([name, await ask(await sign(own, good(), { [name]: value }))]).toEqual([name, '401 token_malformed']);
      }
      expect(await ask(await sign(own, good()))).toBe('401 token_signature_invalid');
      expect(await ask(`${encode({ alg: 'RS256', kid: away })}.${encode(good())}.${selfMade}`)).toBe(
        '401 token_key_unknown',
      );
      expect(await ask(`${encode({ alg: 'RS256', kid: '../../x' })}.${encode(good())}.${selfMade}`)).toBe(
        '401 token_key_unknown',
      );
      expect(ory.asked.slice(since).filter(({ path }) => path !== '/.well-known/jwks.json')).toEqual([]);
    });
  });

  describe(attack(22), () => {
    const KIND = '401 token_kind_wrong';
    it.each<[string, () => Promise<string> | string, string]>([
      ['an ID token: no client_id', () => rs({}, good({ client_id: undefined })), KIND],
      ['an ID token: at_hash', () => rs({}, good({ at_hash: 'x' })), KIND],
      ['an ID token: c_hash', () => rs({}, good({ c_hash: 'x' })), KIND],
      ['an ID token: nonce', () => rs({}, good({ nonce: 'x' })), KIND],
      ['a logout token: events', () => rs({}, good({ events: {} })), KIND],
      ['a logout token: typ', () => rs({ typ: 'logout+jwt' }), KIND],
      ['a DPoP proof', () => rs({ typ: 'dpop+jwt' }), KIND],
      [
        'an assertion of a client',
        () => rs({}, good({ client_id: undefined, iss: 'client' })),
        '401 token_issuer_mismatch',
      ],
      ['a refresh token', () => `ory_rt_${'a'.repeat(43)}.${'b'.repeat(43)}`, KIND],
      ['an authorization code', () => `ory_ac_${'a'.repeat(43)}.${'b'.repeat(43)}`, KIND],
      ['another issuer', () => rs({}, good({ iss: `${ory.url}` })), '401 token_issuer_mismatch'],
      ['another audience', () => rs({}, good({ aud: ['https://other.test'] })), '401 token_audience_mismatch'],
      ['an audience with a slash', () => rs({}, good({ aud: ['https://api.test/'] })), '401 token_audience_mismatch'],
      ['an audience in other case', () => rs({}, good({ aud: ['https://API.test'] })), '401 token_audience_mismatch'],
      ['an audience as an object', () => rs({}, good({ aud: { 0: 'https://api.test' } })), '401 token_malformed'],
      ['an audience in a list in a list', () => rs({}, good({ aud: [['https://api.test']] })), '401 token_malformed'],
      ['no expiry', () => rs({}, good({ exp: undefined })), '401 token_malformed'],
      ['an expiry in milliseconds', () => rs({}, good({ exp: Date.now() + 300_000 })), '401 token_malformed'],
      [
        'an expiry without end',
        () => rs({}, JSON.stringify(good()).replace(/"exp":\d+/, '"exp":1e999')),
        '401 token_malformed',
      ],
      ['an expiry that is a text', () => rs({}, good({ exp: '9999999999' })), '401 token_malformed'],
      ['a past expiry', () => rs({}, good({ exp: Math.floor(Date.now() / 1_000) - 1 })), '401 token_expired'],
      ['a start to come', () => rs({}, good({ nbf: Math.floor(Date.now() / 1_000) + 60 })), '401 token_not_yet_valid'],
      ['a subject that is a list', () => rs({}, good({ sub: ['ada'] })), '401 token_malformed'],
    ])('what is no access token for here is refused: %s', async (_, token, expected) => {
      expect(await ask(await token())).toBe(expected);
    });
  });

  describe(attack(23), () => {
    it('a token has one spelling, so that what is remembered of it cannot be evaded', async () => {
      const token = await rs();
      const [head, body, signature] = partsOf(token);
      const spellings: Record<string, string> = {
        padding: `${token}=`,
        'padding in the middle': `${head}=.${body}.${signature}`,
        'bits left over': `${head}.${body}.${malleable(signature)}`,
        'the other alphabet': `${head}.${body}.${Buffer.from(signature, 'base64url').toString('base64').replace(/=+$/, '')}+`,
        'a dot at the end': `${token}.`,
        'a dot at the beginning': `.${token}`,
        'two dots': token.replace('.', '..'),
        'a character more': `${token}A`,
        'a plus': `${head}.${body}+.${signature}`,
        'a slash': `${head}.${body}.${signature}/`,
        'a tilde': `${head}.${body}.${signature}~`,
      };
      for (const [name, spelling] of Object.entries(spellings))
        expect([name, (await ask(spelling)).slice(0, 3)]).toEqual([name, '401']);
      expect(await ask(token)).toBe('200 ada /api/x');
    });
  });

  describe(attack(25), () => {
    it('what is too long or in five parts is not parsed', async () => {
      const [head, body, signature] = partsOf(await rs());
      const jwe = `${encode({ alg: 'RSA-OAEP', enc: 'A256GCM', zip: 'DEF' })}.a.b.c.d`;
      expect(await ask(jwe)).toBe('401 token_kind_wrong');
      expect(await ask(`${head}.${body}.${signature}.${signature}.${signature}`)).toBe('401 token_kind_wrong');
      // Envoy's own bound on headers is the smaller one: 431, or over HTTP/2 the end of the stream.
      const huge = await rs({}, good({ pad: 'a'.repeat(46_000) }));
      expect(await ask(huge).catch(() => 'ended')).toMatch(/^431|^ended/);
      // And the authorizer has its own.
      const request = `GET /api/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${huge}\r\n\r\n`;
      expect(await sendRaw(attacked.edges[transport].authorizerUrl, request)).toContain('credential_malformed');
      const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
      expect(await ask(await rs({}, `{"iss":${deep}}`))).toMatch(/^401 /);
      expect(await ask(await rs({}, '[]'))).toBe('401 token_malformed');
      expect(await ask(`${encode('{"alg":"RS256","kid":"rs"}\0')}.${body}.${signature}`)).toBe('401 token_malformed');
      expect(await ask(`${encode('\ufeff{"alg":"RS256","kid":"rs"}')}.${body}.${signature}`)).toBe(
        '401 token_malformed',
      );
    });
  });

  describe(attack('scopes'), () => {
    it.each<[string, Record<string, unknown>, boolean]>([
      ['both in a list', { scp: ['read', 'admin'] }, true],
      ['both in a text', { scp: undefined, scope: 'read admin' }, true],
      ['both, twice and with blanks', { scp: undefined, scope: '  read   admin ' }, true],
      ['one', { scp: ['read'] }, false],
      ['none', { scp: undefined }, false],
      ['one that holds the other', { scp: ['readadmin', 'admin'] }, false],
      ['one that begins as the other', { scp: ['readonly', 'read:x', 'admin'] }, false],
      ['other case', { scp: ['Read', 'ADMIN'] }, false],
      ['two in one entry of a list', { scp: ['read admin'] }, false],
      ['a tab between', { scp: undefined, scope: 'read\tadmin' }, false],
      ['a line feed between', { scp: undefined, scope: 'read\nadmin' }, false],
      ['a wide space between', { scp: undefined, scope: 'read\u00a0admin' }, false],
      ['a space of another alphabet', { scp: undefined, scope: 'read\u3000admin' }, false],
      ['a comma between', { scp: undefined, scope: 'read,admin' }, false],
      ['a letter that looks alike', { scp: ['re\u0430d', 'admin'] }, false],
      ['an object', { scp: { 0: 'read', 1: 'admin', length: 2 } }, false],
      ['true', { scp: true }, false],
      [
        'in a claim of another name',
        { scp: undefined, scopes: ['read', 'admin'], ext: { scp: ['read', 'admin'] } },
        false,
      ],
    ])('a scope is a whole word: %s', async (_, change, allowed) => {
      const expected = allowed ? '200 ada /scoped/x' : '403 scope_insufficient';
      expect(await ask(await rs({}, good(change)), '/scoped/x')).toBe(expected);
    });
  });

  describe(attack('claims'), () => {
    it.each<[string, unknown, boolean]>([
      ['equal', { tenant: 1, role: 'admin' }, true],
      ['lists that hold them', { tenant: [2, 1], role: ['user', 'admin'] }, true],
      ['a text for a number', { tenant: '1', role: 'admin' }, false],
      ['true for a number', { tenant: true, role: 'admin' }, false],
      ['another number', { tenant: 1.5, role: 'admin' }, false],
      ['a list of texts', { tenant: ['1'], role: 'admin' }, false],
      ['a list in a list', { tenant: [[1]], role: 'admin' }, false],
      ['other case', { tenant: 1, role: 'Admin' }, false],
      ['a blank at the end', { tenant: 1, role: 'admin ' }, false],
      ['an object', { tenant: { valueOf: 1 }, role: 'admin' }, false],
      ['null', null, false],
      ['a list on the way', [{ tenant: 1, role: 'admin' }], false],
      ['a dotted name', { 'ext.tenant': 1, role: 'admin' }, false],
    ])('a claim has the value and the type that the rule says: %s', async (_, ext, allowed) => {
      const expected = allowed ? '200 ada /claimed/x' : '403 claim_mismatch';
      expect(await ask(await rs({}, good({ ext })), '/claimed/x')).toBe(expected);
    });

    it('what every object inherits is no claim', async () => {
      expect(await ask(await rs({}, good()), '/proto/x')).toBe('403 claim_mismatch');
      const own = JSON.stringify(good({ ext: 0 })).replace(
        '"ext":0',
        '"ext":{"__proto__":{"constructor":{"name":"Object"}}}',
      );
      expect(await ask(await rs({}, own), '/proto/x')).toBe('403 claim_mismatch');
      expect(await ask(await rs({}, good({ ext: { constructor: { name: 'Object' } } })), '/proto/x')).toBe(
        '200 ada /proto/x',
      );
    });
  });
});

/** The order of P-256's group. */
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

/** ASN.1, as OpenSSL writes a signature. */
function der(r: Buffer, s: Buffer): Buffer {
  const integer = (value: Buffer) => {
    const positive = (value[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.alloc(1), value]) : value;
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  };
  const both = Buffer.concat([integer(r), integer(s)]);
  return Buffer.concat([Buffer.from([0x30, both.length]), both]);
}

/** The same token under another header. */
function relabel(token: string, change: Record<string, unknown>): string {
  const [head, body, signature] = partsOf(token);
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Key;
  return `${encode({ ...header, ...change })}.${body}.${signature}`;
}

/** The same bytes in another spelling: the bits of the last character that mean nothing. */
function malleable(signature: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(signature.at(-1) ?? '');
  const other = `${signature.slice(0, -1)}${alphabet[last | 1]}`;
  expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
  expect(other).not.toBe(signature);
  return other;
}
