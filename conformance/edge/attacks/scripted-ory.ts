// An Ory that says what an attack needs, and remembers what it was asked: whoami, a JWKS, introspection. Listens on loopback.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';

interface Asked {
  readonly method: string;
  /** Of a POST. */
  body: string;
  /** With its query. */
  readonly path: string;
  /** Lower-case names, in order, duplicates kept. */
  readonly headers: readonly (readonly [string, string])[];
}

export interface Key {
  readonly alg: string;
  readonly jwk: JWK & { kid: string };
  readonly privateKey: CryptoKey;
}

/** A session as whoami has it; members are replaced by `change`. */
type SessionChange = Readonly<Record<string, unknown>>;

export interface ScriptedOry {
  readonly url: string;
  readonly issuer: string;
  readonly rs256: Key;
  readonly es256: Key;
  /** What is published; `rs256` and `es256` to begin with. */
  readonly keys: unknown[];
  /** What introspection says of a token; of any other, that it is not active. */
  readonly opaque: Map<string, unknown>;
  /** Everything that it was asked. */
  readonly asked: Asked[];
  /** What it was asked at one path, since `asked` was that long. */
  askedFor(path: string, since?: number): readonly Asked[];
  /** Stands before everything else where it is there; a `true` says that it has answered. */
  before: ((request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>) | undefined;
  /** Makes a value a session, as a token and as an `ory_kratos_session` cookie. */
  session(value: string, person: string, change?: SessionChange): void;
  /** It ends. */
  revoke(value: string): void;
  close(): Promise<void>;
}

/** Claims as Hydra writes them, but for those that are given; `undefined` leaves one out. */
export function claimsOf(ory: ScriptedOry, change: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  return {
    iss: ory.issuer,
    sub: 'ada',
    client_id: 'client',
    aud: ['https://api.test'],
    exp: now + 300,
    iat: now,
    nbf: now,
    jti: 'j',
    scp: ['read'],
    ext: {},
    ...change,
  };
}

/** A JWS by one of its keys, or by another. A text is signed as it is. */
export async function sign(
  key: Key,
  claims: Record<string, unknown> | string,
  header: Record<string, unknown> = {},
): Promise<string> {
  const payload = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const full = { alg: key.alg, kid: key.jwk.kid, typ: 'JWT', ...header };
  const signer = new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader(full);
  // Members that must be understood are understood here: the attack is on the other side.
  const crit = Object.fromEntries(((full as { crit?: string[] }).crit ?? []).map((name) => [name, true]));
  return await signer.sign(key.privateKey, { crit });
}

export async function makeKey(alg: string, kid: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg } };
}

export async function startScriptedOry(): Promise<ScriptedOry> {
  const sessions = new Map<string, object>();
  const [rs256, es256] = await Promise.all([makeKey('RS256', 'rs'), makeKey('ES256', 'es')]);
  const server = createServer((request, response) => {
    const asked = askedIn(request);
    ory.asked.push(asked);
    request.on('data', (chunk: Buffer) => {
      asked.body += chunk.toString('latin1');
    });
    request.on('end', () => void answer(ory, sessions, request, response, asked.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ory: ScriptedOry = {
    url,
    issuer: `${url}/`,
    rs256,
    es256,
    keys: [rs256.jwk, es256.jwk],
    opaque: new Map(),
    asked: [],
    askedFor: (path, since = 0) => ory.asked.slice(since).filter((one) => one.path.split('?', 1)[0] === path),
    before: undefined,
    session: (value, person, change = {}) => void sessions.set(value, sessionOf(value, person, change)),
    revoke: (value) => void sessions.delete(value),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return ory;
}

function sessionOf(id: string, person: string, change: SessionChange): object {
  const now = Date.now();
  return {
    id,
    active: true,
    authenticator_assurance_level: 'aal1',
    authenticated_at: new Date(now).toISOString(),
    expires_at: new Date(now + 3_600_000).toISOString(),
    identity: { id: person, state: 'active', traits: { email: `${person}@app.test` } },
    ...change,
  };
}

function askedIn(request: IncomingMessage): Asked {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2)
    headers.push([(request.rawHeaders[i] ?? '').toLowerCase(), request.rawHeaders[i + 1] ?? '']);
  return { method: request.method ?? '', path: request.url ?? '', headers, body: '' };
}

async function answer(
  ory: ScriptedOry,
  sessions: ReadonlyMap<string, object>,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
): Promise<void> {
  if (await ory.before?.(request, response)) return;
  const path = (request.url ?? '').split('?', 1)[0];
  if (path === '/.well-known/jwks.json') return json(response, 200, { keys: ory.keys });
  if (path === '/admin/oauth2/introspect')
    return json(response, 200, ory.opaque.get(new URLSearchParams(body).get('token') ?? '') ?? { active: false });
  const session = path === '/sessions/whoami' ? sessions.get(presented(request)) : undefined;
  if (session) return json(response, 200, session);
  json(response, path === '/sessions/whoami' ? 401 : 404, { error: { code: 401 } });
}

/** The credential as Kratos takes it: the header before the cookie. */
function presented(request: IncomingMessage): string {
  const token = request.headers['x-session-token'];
  if (typeof token === 'string') return token;
  return /^ory_(?:kratos_session|session_\w+)=([^;]+)$/.exec(request.headers.cookie ?? '')?.[1] ?? '';
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
