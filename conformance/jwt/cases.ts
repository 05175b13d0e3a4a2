// Tokens and the ways to send them, right and wrong in one thing each: what Envoy's jwt_authn and our verifier are both
// asked about. No I/O.
import { AUDIENCE, base64url, compact, ISSUER, signature } from './issuer.ts';
import { confused, type KeySetName } from './keys.ts';
import { hasLooseBits, type Maker, withLooseBits } from './maker.ts';

export interface JwtCase {
  readonly name: string;
  /** What the issuer publishes; default `main`. */
  readonly keys?: KeySetName;
  readonly send: (make: Maker) => Sent;
}

/** A token, sent as a bearer; or whatever is sent instead. */
type Sent = string | { readonly authorization: readonly string[] } | { readonly query: string };

export function requestOf({ send }: JwtCase, make: Maker): { authorization: readonly string[]; query: string } {
  const sent = send(make);
  if (typeof sent === 'string') return { authorization: [`Bearer ${sent}`], query: '' };
  return 'query' in sent ? { authorization: [], query: sent.query } : { authorization: sent.authorization, query: '' };
}

type Row = readonly [name: string, send: (make: Maker) => Sent, keys?: KeySetName];

const SENDING: readonly Row[] = [
  ['a good token', (m) => m.token()],
  ['no Authorization', () => ({ authorization: [] })],
  ['an empty Authorization', () => ({ authorization: [''] })],
  ['Basic', () => ({ authorization: ['Basic dTpw'] })],
  ['Bearer without a token', () => ({ authorization: ['Bearer '] })],
  ['a token without a scheme', (m) => ({ authorization: [m.token()] })],
  ['bearer in lower case', (m) => ({ authorization: [`bearer ${m.token()}`] })],
  ['BEARER in capitals', (m) => ({ authorization: [`BEARER ${m.token()}`] })],
  ['two spaces after Bearer', (m) => ({ authorization: [`Bearer  ${m.token()}`] })],
  ['a tab after Bearer', (m) => ({ authorization: [`Bearer\t${m.token()}`] })],
  ['a space and a tab after Bearer', (m) => ({ authorization: [`Bearer \t${m.token()}`] })],
  ['no space after Bearer', (m) => ({ authorization: [`Bearer${m.token()}`] })],
  ['an equals sign after Bearer', (m) => ({ authorization: [`Bearer=${m.token()}`] })],
  ['text before Bearer', (m) => ({ authorization: [`x Bearer ${m.token()}`] })],
  ['text after the token', (m) => ({ authorization: [`Bearer ${m.token()} x`] })],
  ['a comma and text after the token', (m) => ({ authorization: [`Bearer ${m.token()},x`] })],
  ['a semicolon and text after the token', (m) => ({ authorization: [`Bearer ${m.token()};x`] })],
  ['quotes around the token', (m) => ({ authorization: [`Bearer "${m.token()}"`] })],
  ['a second scheme after a comma', (m) => ({ authorization: [`Bearer ${m.token()}, Basic dTpw`] })],
  ['Basic and a bearer in one line', (m) => ({ authorization: [`Basic dTpw, Bearer ${m.token()}`] })],
  ['two lines of one token', (m) => ({ authorization: twice(`Bearer ${m.token()}`) })],
  ['two lines of two good tokens', (m) => ({ authorization: [bearer(m.token()), bearer(m.token({ sub: 'other' }))] })],
  ['a bad line, then a good one', (m) => ({ authorization: ['Bearer a.b.c', bearer(m.token())] })],
  ['a good line, then a bad one', (m) => ({ authorization: [bearer(m.token()), 'Bearer a.b.c'] })],
  ['a good line, then Basic', (m) => ({ authorization: [bearer(m.token()), 'Basic dTpw'] })],
  ['an empty line, then a good one', (m) => ({ authorization: ['', bearer(m.token())] })],
  ['the token in the query', (m) => ({ query: `?access_token=${m.token()}` })],
];

const SHAPE: readonly Row[] = [
  ['an opaque token of Hydra', () => 'ory_at_c2VjcmV0.c2lnbmF0dXJl'],
  ['garbage', () => 'garbage'],
  ['two dots and garbage', () => 'a.b.c'],
  ['two dots and nothing else', () => '..'],
  ['five parts, as of a JWE', (m) => `${m.token()}.a.b`],
  ['four parts', (m) => `${m.token()}.a`],
  ['the first part is missing', (m) => m.token().replace(/^[^.]*/, '')],
  ['the payload is missing', (m) => m.token().replace(/\.[^.]*\./, '..')],
  ['the signature is missing', (m) => m.token().replace(/[^.]*$/, '')],
  ['the header is not base64url', (m) => `!${m.token().slice(1)}`],
  ['the payload is not base64url', (m) => m.parts((head, body) => [head, `!${body.slice(1)}`])],
  ['the signature is not base64url', (m) => `${m.token().slice(0, -8)}!!!!!!!!`],
  ['the header is not JSON', (m) => compact(m.keys.rs256, 'not JSON', m.claims())],
  ['the header is a list', (m) => compact(m.keys.rs256, [{ alg: 'RS256' }], m.claims())],
  ['the header is null', (m) => compact(m.keys.rs256, null, m.claims())],
  ['the header is empty', (m) => compact(m.keys.rs256, {}, m.claims())],
  ['the payload is not JSON', (m) => m.payload('not JSON')],
  ['the payload is a list', (m) => m.payload([m.claims()])],
  ['the payload is a text', (m) => m.payload('"text"')],
  ['the payload is null', (m) => m.payload(null)],
  ['the payload is empty', (m) => m.payload({})],
  ['blanks around the payload', (m) => m.payload(` \n${JSON.stringify(m.claims())}\t `)],
  ['text after the payload', (m) => m.payload(`${JSON.stringify(m.claims())}x`)],
  ['a NUL after the payload', (m) => m.payload(`${JSON.stringify(m.claims())}\0`)],
  ['a second object after the payload', (m) => m.payload(`${JSON.stringify(m.claims())}{}`)],
  ['a byte order mark before the payload', (m) => m.payload(`\ufeff${JSON.stringify(m.claims())}`)],
  ['a byte order mark before the header', (m) => markedHeader(m)],
  ['a comment in the payload', (m) => m.payload(`${JSON.stringify(m.claims()).slice(0, -1)}/**/}`)],
  ['single quotes in the payload', (m) => m.claimsWith("'x':'y'")],
  ['a member without quotes in the payload', (m) => m.claimsWith('x:1')],
  ['a comma before the payload’s end', (m) => m.payload(`${JSON.stringify(m.claims()).slice(0, -1)},}`)],
  ['NaN in the payload', (m) => m.claimsWith('"x":NaN')],
  ['bytes that are not UTF-8 in the payload', (m) => m.payload(withBytes(m.claims({ x: 'here' })))],
  ['bytes that are not UTF-8 in the subject', (m) => m.payload(withBytes(m.claims({ sub: 'here' })))],
  ['bytes that are not UTF-8 in the header', (m) => oddHeader(m)],
  ['half a surrogate pair', (m) => m.claimsWith('"x":"\\ud800"')],
  ['a NUL in a claim', (m) => m.claimsWith('"x":"a\\u0000b"')],
  ['a control character in a claim', (m) => m.claimsWith('"x":"a\tb"')],
  ['nested 100 deep', (m) => m.claimsWith(`"x":${deep(100)}`)],
  ['nested 1,000 deep', (m) => m.claimsWith(`"x":${deep(1_000)}`)],
  ['a number that is not one of 64 bits', (m) => m.claimsWith('"x":123456789012345678901234567890')],
  ['a number that is not finite', (m) => m.claimsWith('"x":1e400')],
  ['a member called __proto__', (m) => m.claimsWith('"__proto__":{"sub":"other"}')],
  ['the payload is 12 KiB', (m) => m.token({ x: 'x'.repeat(9_000) })],
  ['the payload is over 16 KiB', (m) => m.token({ x: 'x'.repeat(13_000) })],
  ['the header is over 2 KiB', (m) => m.token({}, { x: 'x'.repeat(2_000) })],
  ['padding after the header', (m) => m.parts((head, body) => [`${head}=`, body])],
  ['padding after the payload', (m) => m.parts((head, body) => [head, `${body}=`])],
  ['padding after the signature', (m) => `${m.token()}==`],
  ['the other alphabet', (m) => otherAlphabet(m)],
  ['loose bits in the payload', (m) => loosePayload(m)],
  ['loose bits in the signature', (m) => withLooseBits(m.token())],
  ['a length that base64url cannot have', (m) => `${m.token()}AAA`],
  ['a line break in the payload', (m) => m.parts((head, body) => [head, `${body.slice(0, 8)}%0A${body.slice(8)}`])],
];

const HEADER: readonly Row[] = [
  ['no alg', (m) => m.token({}, { alg: undefined })],
  ['alg is a number', (m) => m.token({}, { alg: 1 })],
  ['alg is null', (m) => m.token({}, { alg: null })],
  ['alg none, without a signature', (m) => m.token({}, { alg: 'none' }).replace(/[^.]*$/, '')],
  ['alg none, with a signature', (m) => m.token({}, { alg: 'none' })],
  ['alg NONE', (m) => m.token({}, { alg: 'NONE' })],
  ['alg unknown', (m) => m.token({}, { alg: 'XX256' })],
  ['alg rs256 in lower case', (m) => m.token({}, { alg: 'rs256' })],
  ['HS256 with the public key as its secret', (m) => m.token({}, {}, confused(m.keys.rs256))],
  ['HS256 without kid, the public key as its secret', (m) => m.token({}, { kid: undefined }, confused(m.keys.rs256))],
  ['RS512 said, RS256 signed', (m) => m.token({}, { alg: 'RS512' })],
  ['PS256', (m) => m.token({}, {}, m.keys.ps256)],
  ['PS256 by a key for RS256', (m) => m.token({}, {}, { ...m.keys.rs256, alg: 'PS256' })],
  ['PS384 by a key for any algorithm', (m) => m.token({}, {}, { ...m.keys.rsa, alg: 'PS384' })],
  ['RS512 by a key for any algorithm', (m) => m.token({}, {}, { ...m.keys.rsa, alg: 'RS512' })],
  ['RS256 by a key for RS512', (m) => m.token({}, {}, m.keys.rs512)],
  ['RS384 by a key for RS256', (m) => m.token({}, {}, { ...m.keys.rs256, alg: 'RS384' })],
  ['ES256', (m) => m.token({}, {}, m.keys.es256)],
  ['ES384', (m) => m.token({}, {}, m.keys.es384)],
  ['ES512', (m) => m.token({}, {}, m.keys.es512)],
  ['EdDSA', (m) => m.token({}, {}, m.keys.ed25519)],
  ...(['rs256', 'ps256', 'es256', 'es384', 'es512', 'ed25519'] as const).flatMap((key): Row[] => [
    [`a byte behind the signature, ${key}`, (m) => withByteBehind(m.token({}, {}, m.keys[key]))],
    [`a signature one byte short, ${key}`, (m) => withByteBehind(m.token({}, {}, m.keys[key]), -1)],
  ]),
  ['EdDSA under its other name, Ed25519', (m) => m.token({}, { alg: 'Ed25519' }, m.keys.ed25519)],
  ['ES256 said for a key of P-384', (m) => m.token({}, { alg: 'ES256' }, m.keys.es384)],
  ['RS256 said for an elliptic curve’s kid', (m) => m.token({}, { kid: 'es256' })],
  ['ES256 said for an RSA key’s kid', (m) => m.token({}, { kid: 'rs256' }, m.keys.es256)],
  ['no kid', (m) => m.token({}, { kid: undefined })],
  ['no kid, signed by another key than the set’s', (m) => m.token({}, { kid: undefined }, m.keys.foreign)],
  ['kid is empty', (m) => m.token({}, { kid: '' })],
  ['kid is a number', (m) => m.token({}, { kid: 1 })],
  ['kid is null', (m) => m.token({}, { kid: null })],
  ['kid is unknown', (m) => m.token({}, { kid: 'unknown' })],
  ['kid in other case', (m) => m.token({}, { kid: 'RS256' })],
  ['kid of another key', (m) => m.token({}, { kid: 'rsa' })],
  ['signed by a key that is not published', (m) => m.token({}, {}, m.keys.foreign)],
  ['no typ', (m) => m.token({}, { typ: undefined })],
  ['typ jwt in lower case', (m) => m.token({}, { typ: 'jwt' })],
  ['typ at+jwt', (m) => m.token({}, { typ: 'at+jwt' })],
  ['typ application/at+jwt', (m) => m.token({}, { typ: 'application/at+jwt' })],
  ['typ AT+JWT', (m) => m.token({}, { typ: 'AT+JWT' })],
  ['typ logout+jwt', (m) => m.token({}, { typ: 'logout+jwt' })],
  ['typ dpop+jwt', (m) => m.token({}, { typ: 'dpop+jwt' })],
  ['typ JWE', (m) => m.token({}, { typ: 'JWE' })],
  ['typ is empty', (m) => m.token({}, { typ: '' })],
  ['typ is a number', (m) => m.token({}, { typ: 1 })],
  ['typ is null', (m) => m.token({}, { typ: null })],
  ['typ is a list', (m) => m.token({}, { typ: ['JWT'] })],
  ['cty', (m) => m.token({}, { cty: 'JWT' })],
  ['a member that nobody knows', (m) => m.token({}, { x: 1 })],
  ['jwk with the signing key', (m) => m.token({}, { jwk: m.keys.rs256.jwk })],
  ['jwk with a key of the client’s own', (m) => m.token({}, { jwk: m.keys.foreign.jwk }, m.keys.foreign)],
  ...['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'].flatMap((member): Row[] => [
    [`${member} is a text`, (m) => m.token({}, { [member]: 'https://evil.test/' })],
    [`${member} is null`, (m) => m.token({}, { [member]: null })],
    [`${member} is an empty list`, (m) => m.token({}, { [member]: [] })],
    [`${member} is false`, (m) => m.token({}, { [member]: false })],
  ]),
  ['crit as RFC 7515 has it', (m) => m.token({}, { crit: ['exp'], exp: 1 })],
  ['alg twice, first forbidden', (m) => doubleAlg(m, 'none', 'RS256')],
  ['alg twice, last forbidden', (m) => doubleAlg(m, 'RS256', 'none')],
  ['typ twice, last another', (m) => m.headerWith('"typ":"logout+jwt"')],
  ['typ twice, first another', (m) => firstTyp(m)],
  ['crit twice, last null', (m) => m.headerWith('"crit":["x"],"crit":null')],
  ['kid twice, last unknown', (m) => m.headerWith('"kid":"unknown"')],
  ['kid twice, both the same', (m) => m.headerWith('"kid":"rs256"')],
];

const CLAIMS: readonly Row[] = [
  ['exp missing', (m) => m.token({ exp: undefined })],
  ['exp null', (m) => m.token({ exp: null })],
  ['exp a text', (m) => m.token({ exp: String(m.now + 300) })],
  ['exp true', (m) => m.token({ exp: true })],
  ['exp zero', (m) => m.token({ exp: 0 })],
  ['exp negative', (m) => m.token({ exp: -1 })],
  ['exp with a fraction', (m) => m.token({ exp: m.now + 300.5 })],
  ['exp with a fraction of zero', (m) => m.payload(written(m, 'exp', `${m.now + 300}.0`))],
  ['exp with an exponent', (m) => m.payload(written(m, 'exp', '9e10'))],
  ['exp 1e12', (m) => m.token({ exp: 1e12 })],
  ['exp just below 1e12', (m) => m.token({ exp: 1e12 - 1 })],
  ['exp 1e15', (m) => m.token({ exp: 1e15 })],
  ['exp 1e18', (m) => m.token({ exp: 1e18 })],
  ['exp beyond 64 bits', (m) => m.payload(written(m, 'exp', `${2n ** 64n}`))],
  ['exp 30 s ago', (m) => m.token({ exp: m.now - 30 })],
  ['exp 57 s ago', (m) => m.token({ exp: m.now - 57 })],
  ['exp 63 s ago', (m) => m.token({ exp: m.now - 63 })],
  ['exp an hour ago', (m) => m.token({ exp: m.now - 3_600 })],
  ['exp twice, last in the past', (m) => m.claimsWith(`"exp":${m.now - 3_600}`)],
  ['exp twice, first in the past', (m) => firstExp(m)],
  ['nbf missing', (m) => m.token({ nbf: undefined })],
  ['nbf null', (m) => m.token({ nbf: null })],
  ['nbf a text', (m) => m.token({ nbf: String(m.now) })],
  ['nbf negative', (m) => m.token({ nbf: -1 })],
  ['nbf with a fraction', (m) => m.token({ nbf: m.now - 10.5 })],
  ['nbf in 30 s', (m) => m.token({ nbf: m.now + 30 })],
  ['nbf in 57 s', (m) => m.token({ nbf: m.now + 57 })],
  ['nbf in 66 s', (m) => m.token({ nbf: m.now + 66 })],
  ['nbf in an hour', (m) => m.token({ nbf: m.now + 3_600 })],
  ['nbf 1e15', (m) => m.token({ nbf: 1e15 })],
  ['iat missing', (m) => m.token({ iat: undefined })],
  ['iat null', (m) => m.token({ iat: null })],
  ['iat a text', (m) => m.token({ iat: String(m.now) })],
  ['iat negative', (m) => m.token({ iat: -1 })],
  ['iat with a fraction', (m) => m.token({ iat: m.now - 10.5 })],
  ['iat in an hour', (m) => m.token({ iat: m.now + 3_600 })],
  ['iat 1e15', (m) => m.token({ iat: 1e15 })],
  ['iss missing', (m) => m.token({ iss: undefined })],
  ['iss null', (m) => m.token({ iss: null })],
  ['iss a number', (m) => m.token({ iss: 1 })],
  ['iss a list', (m) => m.token({ iss: [ISSUER] })],
  ['iss empty', (m) => m.token({ iss: '' })],
  ['iss another', (m) => m.token({ iss: 'https://evil.test/' })],
  ['iss without its slash', (m) => m.token({ iss: ISSUER.slice(0, -1) })],
  ['iss with a slash more', (m) => m.token({ iss: `${ISSUER}/` })],
  ['iss in other case', (m) => m.token({ iss: ISSUER.toUpperCase() })],
  ['iss with a NUL and more', (m) => m.token({ iss: `${ISSUER}\0x` })],
  ['iss twice, last another', (m) => m.claimsWith('"iss":"https://evil.test/"')],
  ['aud missing', (m) => m.token({ aud: undefined })],
  ['aud null', (m) => m.token({ aud: null })],
  ['aud a text', (m) => m.token({ aud: AUDIENCE })],
  ['aud a number', (m) => m.token({ aud: 1 })],
  ['aud an object', (m) => m.token({ aud: { a: AUDIENCE } })],
  ['aud an empty list', (m) => m.token({ aud: [] })],
  ['aud an empty text', (m) => m.token({ aud: '' })],
  ['aud another', (m) => m.token({ aud: ['https://evil.test'] })],
  ['aud two, one right', (m) => m.token({ aud: ['https://evil.test', AUDIENCE] })],
  ['aud right and a number', (m) => m.token({ aud: [AUDIENCE, 1] })],
  ['aud right and null', (m) => m.token({ aud: [AUDIENCE, null] })],
  ['aud a list in a list', (m) => m.token({ aud: [[AUDIENCE]] })],
  ['aud with a trailing slash', (m) => m.token({ aud: [`${AUDIENCE}/`] })],
  ['aud without scheme', (m) => m.token({ aud: ['api.test'] })],
  ['aud with http', (m) => m.token({ aud: ['http://api.test'] })],
  ['aud with http and a slash', (m) => m.token({ aud: ['http://api.test/'] })],
  ['aud in capitals', (m) => m.token({ aud: [AUDIENCE.toUpperCase()] })],
  ['aud with a blank', (m) => m.token({ aud: [`${AUDIENCE} `] })],
  ['aud several in one text', (m) => m.token({ aud: `${AUDIENCE} https://other.test` })],
  ['aud twice, last another', (m) => m.claimsWith('"aud":["https://evil.test"]')],
  ['aud twice, first another', (m) => firstAudience(m)],
  ['sub missing', (m) => m.token({ sub: undefined })],
  ['sub null', (m) => m.token({ sub: null })],
  ['sub a number', (m) => m.token({ sub: 1 })],
  ['sub empty', (m) => m.token({ sub: '' })],
  ['client_id missing', (m) => m.token({ client_id: undefined })],
  ['client_id null', (m) => m.token({ client_id: null })],
  ['client_id empty', (m) => m.token({ client_id: '' })],
  ['client_id a number', (m) => m.token({ client_id: 1 })],
  ['client_id a list', (m) => m.token({ client_id: ['client'] })],
  ['client_id twice, last empty', (m) => m.claimsWith('"client_id":""')],
  ...['at_hash', 'c_hash', 's_hash', 'nonce', 'events'].flatMap((claim): Row[] => [
    [`${claim} of another kind of token`, (m) => m.token({ [claim]: claim === 'events' ? {} : 'x' })],
    [`${claim} null`, (m) => m.token({ [claim]: null })],
  ]),
  ['an ID token of Hydra', (m) => m.token({ client_id: undefined, scp: undefined, aud: ['client'], at_hash: 'x' })],
  ['scp a text', (m) => m.token({ scp: 'read write' })],
  ['scope beside scp', (m) => m.token({ scope: 'read write' })],
  ['scp a number', (m) => m.token({ scp: 1 })],
];

const KEY_SETS: readonly Row[] = [
  ['an RSA key of 1,024 bits', (m) => m.token({}, {}, m.keys.weak), 'weak'],
  ['a key for encryption', (m) => m.token({}, {}, m.keys.encryption), 'encryption'],
  ['a key whose operations are others', (m) => m.token({}, {}, m.keys.operations), 'encryption'],
  ['HS256 by a secret in the set', (m) => m.token({}, {}, m.keys.secret), 'symmetric'],
  ['HS256 by a secret in the set, without kid', (m) => m.token({}, { kid: undefined }, m.keys.secret), 'symmetric'],
  ['two keys of one kid, the second signed', (m) => m.token(), 'namesakes'],
  ['two keys of one kid, the first signed', (m) => m.token({}, {}, m.keys.foreign), 'namesakes'],
  ['a key without kid, a token without', (m) => m.token({}, {}, m.keys.nameless), 'nameless'],
  ['a key without kid, a token with one', (m) => m.token({}, { kid: 'x' }, m.keys.nameless), 'nameless'],
  ['keys that nobody can read beside a good one', (m) => m.token(), 'broken'],
  ['more than a hundred keys', (m) => m.token(), 'many'],
];

/** In groups: how it is sent, its shape, its header, its claims, the issuer's keys. */
export const CASES: readonly JwtCase[] = [SENDING, SHAPE, HEADER, CLAIMS, KEY_SETS]
  .flat()
  .map(([name, send, keys]) => ({ name, send, ...(keys ? { keys } : {}) }));

function bearer(token: string): string {
  return `Bearer ${token}`;
}

function twice(line: string): string[] {
  return [line, line];
}

function deep(levels: number): string {
  return `${'['.repeat(levels)}${']'.repeat(levels)}`;
}

/** The good claims with one as it is written here, digit for digit. */
function written(m: Maker, claim: string, value: string): string {
  return JSON.stringify(m.claims({ [claim]: 'HERE' })).replace('"HERE"', value);
}

/** `here` as two bytes that are not UTF-8, and two that are. */
function withBytes(claims: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(claims).replace('here', '\xc0\xaeab'), 'latin1');
}

function oddHeader(m: Maker): string {
  const header = Buffer.from(JSON.stringify(m.header(m.keys.rs256, { x: '\xff' })), 'latin1');
  return compact(m.keys.rs256, header, m.claims());
}

/** Written anew: nothing is wrong with its base64url. */
function withByteBehind(token: string, count = 1): string {
  const [head, body, signed = ''] = token.split('.');
  const bytes = Buffer.from(signed, 'base64url');
  const changed = count < 0 ? bytes.subarray(0, count) : Buffer.concat([bytes, Buffer.alloc(count, 7)]);
  return `${head}.${body}.${base64url(changed)}`;
}

function markedHeader(m: Maker): string {
  return compact(m.keys.rs256, `\ufeff${JSON.stringify(m.header(m.keys.rs256))}`, m.claims());
}

function doubleAlg(m: Maker, first: string, last: string): string {
  const header = `{"alg":"${first}","alg":"${last}","kid":"rs256","typ":"JWT"}`;
  return compact(m.keys.rs256, header, m.claims());
}

function firstTyp(m: Maker): string {
  return compact(m.keys.rs256, '{"typ":"logout+jwt","alg":"RS256","kid":"rs256","typ":"JWT"}', m.claims());
}

function firstExp(m: Maker): string {
  return m.payload(`{"exp":${m.now - 3_600},${JSON.stringify(m.claims()).slice(1)}`);
}

function firstAudience(m: Maker): string {
  return m.payload(`{"aud":["https://evil.test"],${JSON.stringify(m.claims()).slice(1)}`);
}

/** `+` and `/` for `-` and `_`, in a payload that has them. */
function otherAlphabet(m: Maker): string {
  const input = m.token({ x: '~~~???>>>' }).split('.').slice(0, 2).join('.');
  const changed = input.replaceAll('-', '+').replaceAll('_', '/');
  if (changed === input) throw new Error('the two alphabets do not differ here');
  return `${changed}.${base64url(signature('RS256', m.keys.rs256.privateKey, changed))}`;
}

/** Signed with its loose bits: only its spelling is another. */
function loosePayload(m: Maker): string {
  for (const x of ['', 'a', 'aa']) {
    const body = base64url(m.claims({ x }));
    if (hasLooseBits(body)) return m.parts((head) => [head, withLooseBits(body)]);
  }
  throw new Error('no payload with loose bits');
}
