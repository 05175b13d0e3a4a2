// `POST /admin/oauth2/introspect` (RFC 7662), `POST /oauth2/revoke` (RFC 7009), `/userinfo`. No I/O.
import { type DevContext, json } from '../answer.ts';
import type { State } from '../state.ts';
import { authenticate, readForm, sendRefusal, words } from './form.ts';
import { openIdClaims } from './issue.ts';

export async function introspect(c: DevContext, { grants, issuer, made }: State): Promise<Response> {
  const form = await readForm(c);
  c.header('Content-Type', 'application/json;charset=UTF-8');
  c.header('Cache-Control', 'no-store');
  const toOrder = made.introspection(form.get('token') ?? '');
  if (toOrder) return c.body(JSON.stringify(toOrder));
  const token = grants.active(form.get('token') ?? '');
  const wanted = words(form.get('scope'));
  if (!token || !wanted.every((scope) => token.grant.scopes.includes(scope))) return c.body('{"active":false}');
  const { grant } = token;
  return c.body(
    JSON.stringify({
      active: true,
      ...(grant.scopes.length > 0 ? { scope: grant.scopes.join(' ') } : {}),
      client_id: grant.client.id,
      sub: grant.subject,
      exp: token.expiresAtSeconds,
      iat: token.issuedAtSeconds,
      nbf: token.issuedAtSeconds,
      aud: grant.audience,
      iss: issuer,
      token_type: 'Bearer',
      token_use: token.use,
      ...(Object.keys(grant.ext).length > 0 ? { ext: grant.ext } : {}),
    }),
  );
}

/** An access token alone, or with a refresh token everything of its grant. Unknown ones are no error. */
export async function revoke(c: DevContext, { grants, clients }: State): Promise<Response> {
  const form = await readForm(c);
  const client = authenticate(c, form, clients);
  if ('refusal' in client) return sendRefusal(c, client);
  const token = grants.token(form.get('token') ?? '');
  if (token?.grant.client === client) {
    token.revoked = true;
    if (token.use === 'refresh_token') token.grant.ended = true;
  }
  c.header('Cache-Control', 'no-store');
  return c.body(null, 200);
}

/** OpenID Connect Core, section 5.3; of any access token that stands for a person, as at Hydra. */
export function userinfo(c: DevContext, { grants, issuer }: State): Response {
  const token = grants.active(/^bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '');
  if (token?.use === 'refresh_token') {
    return unauthorized(c, 'invalid_token', 'Only access tokens are allowed in the authorization header.');
  }
  if (token?.grant.identity === undefined) {
    return unauthorized(c, 'request_unauthorized', 'The request could not be authorized.');
  }
  return json(c, 200, openIdClaims(issuer, token.grant));
}

function unauthorized(c: DevContext, error: string, description: string): Response {
  c.header('WWW-Authenticate', `Bearer error="${error}",error_description="${description}"`);
  return json(c, 401, { error, error_description: description });
}
