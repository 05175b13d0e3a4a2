// Makes the tokens of a grant: access token (JWT or opaque), refresh token, ID token. No I/O.
import { createHash, randomUUID } from 'node:crypto';
import { opaqueToken } from '../random.ts';
import type { Strategy } from './clients.ts';
import type { Grant, Grants } from './grants.ts';
import { idTokenKeySet, type Keys } from './keys.ts';

const hourSeconds = 60 * 60;
const monthSeconds = 30 * 24 * hourSeconds;

export interface Issuer {
  readonly issuer: string;
  readonly clock: () => number;
  readonly keys: Keys;
  readonly grants: Grants;
  /** Of clients that have none of their own. */
  readonly strategy: Strategy;
}

/** The body of a token answer, its members in Hydra's order. */
export async function issueTokens(issuer: Issuer, grant: Grant): Promise<Record<string, unknown>> {
  const nowSeconds = Math.floor(issuer.clock() / 1000);
  const lifespanSeconds = grant.identity === undefined ? grant.client.lifespanSeconds : hourSeconds;
  const expiresAtSeconds = nowSeconds + lifespanSeconds;
  const jwt = (grant.client.strategy ?? issuer.strategy) === 'jwt';
  const access = jwt ? await accessJwt(issuer, grant, nowSeconds, expiresAtSeconds) : opaqueToken('ory_at_');
  issuer.grants.add(access, 'access_token', grant, nowSeconds, expiresAtSeconds);
  const refresh = mayRefresh(grant) ? opaqueToken('ory_rt_') : undefined;
  if (refresh !== undefined) {
    issuer.grants.add(refresh, 'refresh_token', grant, nowSeconds, nowSeconds + monthSeconds);
  }
  return {
    access_token: access,
    expires_in: lifespanSeconds,
    ...(grant.openid === undefined ? {} : { id_token: await idToken(issuer, grant, access) }),
    ...(refresh === undefined ? {} : { refresh_token: refresh }),
    scope: grant.scopes.join(' '),
    token_type: 'bearer',
  };
}

/** Who consented to access while they are away, at a client that knows how to use it. */
function mayRefresh({ client, scopes, identity }: Grant): boolean {
  const offline = scopes.includes('offline') || scopes.includes('offline_access');
  return identity !== undefined && offline && client.grantTypes.includes('refresh_token');
}

function accessJwt(issuer: Issuer, grant: Grant, nowSeconds: number, expiresAtSeconds: number): Promise<string> {
  return issuer.keys.sign({
    aud: grant.audience,
    client_id: grant.client.id,
    exp: expiresAtSeconds,
    ext: grant.ext,
    iat: nowSeconds,
    iss: issuer.issuer,
    jti: randomUUID(),
    nbf: nowSeconds,
    scp: grant.scopes,
    sub: grant.subject,
  });
}

function idToken(issuer: Issuer, grant: Grant, accessToken: string): Promise<string> {
  const { keys, clock } = issuer;
  const nowSeconds = Math.floor(clock() / 1000);
  // OpenID Connect Core, section 3.1.3.6: the left half of the digest.
  const atHash = createHash('sha256').update(accessToken, 'ascii').digest().subarray(0, 16).toString('base64url');
  const { nonce, sessionId } = grant.openid ?? {};
  return keys.sign(
    {
      at_hash: atHash,
      ...openIdClaims(issuer.issuer, grant),
      exp: nowSeconds + hourSeconds,
      iat: nowSeconds,
      jti: randomUUID(),
      ...(nonce === undefined ? {} : { nonce }),
      sid: sessionId,
    },
    {},
    idTokenKeySet,
  );
}

/** What ID token and userinfo have in common. */
export function openIdClaims(issuer: string, { client, subject, openid }: Grant): Record<string, unknown> {
  return {
    aud: [client.id],
    auth_time: openid?.authenticatedAtSeconds,
    ...openid?.claims,
    iat: openid?.requestedAtSeconds,
    iss: issuer,
    rat: openid?.requestedAtSeconds,
    sub: subject,
  };
}
