// What the attacks on Istio share: credentials of the backing's development Ory, and how often the authorizer was asked.
// Network on loopback.
import { generateKeyPair, SignJWT } from 'jose';
import { type Answer, type Lines, send } from '../edge/rig/client.ts';
import { SEEN } from './app.ts';
import type { RunningBacking } from './backing.ts';
import type { RunningIstio } from './istio.ts';

export const AUDIENCE = 'https://api.acme.com';

export interface Session {
  readonly token: string;
  readonly cookie: string;
}

export async function madeSession({ ports }: RunningBacking, id: string): Promise<Session> {
  const made = (await post(ports.ory, 'sessions', {
    id: `session-of-${id}`,
    active: true,
    authenticated_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    authenticator_assurance_level: 'aal1',
    authentication_methods: [{ method: 'password', aal: 'aal1', completed_at: new Date().toISOString() }],
    identity: { id, schema_id: 'default', state: 'active', traits: { email: `${id}@example.org` } },
  })) as { readonly session_token: string; readonly session_cookie: string };
  return { token: made.session_token, cookie: `ory_kratos_session=${made.session_cookie}` };
}

/** Claims of an access token as Hydra makes one; those that are given take their place, undefined ones are left out. */
function claimsOf({ ports }: RunningBacking, claims: Readonly<Record<string, unknown>> = {}): object {
  const now = Math.floor(Date.now() / 1_000);
  const usual = {
    iss: `http://127.0.0.1:${ports.ory}`,
    sub: 'ada',
    client_id: 'client',
    aud: [AUDIENCE],
    scp: ['read'],
    exp: now + 600,
    iat: now,
  };
  return JSON.parse(JSON.stringify({ ...usual, ...claims })) as object;
}

/** Signed by the issuer. */
export async function madeJwt(
  backing: RunningBacking,
  claims: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { access_token: token } = (await post(backing.ports.ory, 'tokens', claimsOf(backing, claims))) as {
    readonly access_token: string;
  };
  return token;
}

/** Signed by somebody else, who says that he is the issuer. */
export async function foreignJwt(backing: RunningBacking): Promise<string> {
  const mine = JSON.parse(Buffer.from((await madeJwt(backing)).split('.')[0] ?? '', 'base64url').toString()) as {
    readonly kid: string;
  };
  const { privateKey } = await generateKeyPair('RS256');
  return new SignJWT({ ...claimsOf(backing) }).setProtectedHeader({ alg: 'RS256', kid: mine.kid }).sign(privateKey);
}

async function post(port: number, what: string, body: object): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${port}/admin/development/${what}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status !== 201) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** The status, and the header lines with which a request reached the application; undefined where it did not. */
export interface Came {
  readonly status: number;
  readonly seen: Lines | undefined;
  readonly answer: Answer;
}

export async function came(
  { url }: Pick<RunningIstio, 'url'>,
  path: string,
  headers: Lines = [],
  more: { readonly method?: string; readonly host?: string; readonly protocol?: 'HTTP/2' } = {},
): Promise<Came> {
  const { protocol = 'HTTP/1.1', ...request } = more;
  const answer = await send(url, protocol, { path, headers, ...request });
  const [seen] = answer.header(SEEN);
  const lines = seen === undefined ? undefined : (JSON.parse(Buffer.from(seen, 'base64url').toString('utf8')) as Lines);
  return { status: answer.status, seen: lines, answer };
}

/** Every value of a header that could be taken for `x-user-id`, whatever stands between its words. */
export function identities({ seen }: Came): string[] {
  return (seen ?? []).filter(([name]) => /^x.user.id$/i.test(name)).map(([, value]) => value);
}

/** Checks so far, as Envoy counts them. */
export async function checks({ envoy }: RunningIstio): Promise<number> {
  const text = await (await fetch(`${envoy.adminUrl}/stats?filter=9192.*ory-envoy.*upstream_rq_total`)).text();
  return [...text.matchAll(/: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}
