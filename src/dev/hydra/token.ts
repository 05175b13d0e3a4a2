// `POST /oauth2/token`: client_credentials, authorization_code with PKCE, refresh_token. No I/O.
import { createHash } from 'node:crypto';
import type { DevContext } from '../answer.ts';
import type { State } from '../state.ts';
import { type Client, foreignWish, mayUse, sameSecret } from './clients.ts';
import { authenticate, type Refused, readForm, refuse, sendRefusal, words } from './form.ts';
import type { Code, Grant } from './grants.ts';
import { issueTokens } from './issue.ts';

/** RFC 6749, section 3.2. The order of the checks is Hydra's. */
export async function token(c: DevContext, state: State): Promise<Response> {
  const form = await readForm(c);
  const grant = granted(c, state, form);
  if ('refusal' in grant) return sendRefusal(c, grant);
  const body = await issueTokens(state.issuing, grant);
  c.header('Cache-Control', 'no-store');
  c.header('Pragma', 'no-cache');
  c.header('Content-Type', 'application/json;charset=UTF-8');
  return c.body(JSON.stringify(body));
}

function granted(c: DevContext, state: State, form: URLSearchParams): Grant | Refused {
  if (form.size === 0) return refuse(400, 'invalid_request', 'The POST body can not be empty.');
  const grantType = form.get('grant_type') ?? '';
  if (grantType === '') return refuse(400, 'invalid_request', "Request parameter 'grant_type' is missing.");
  const client = authenticate(c, form, state.clients);
  if ('refusal' in client) return client;
  const known = ['client_credentials', 'authorization_code', 'refresh_token'].includes(grantType);
  if (!known) return refuse(400, 'invalid_request', `There is no grant '${grantType}'.`);
  if (!mayUse(client, grantType)) {
    return refuse(400, 'unauthorized_client', `The client is not allowed to use the grant '${grantType}'.`);
  }
  switch (grantType) {
    case 'client_credentials':
      return byCredentials(client, form);
    case 'authorization_code':
      return byCode(state, client, form);
    default:
      return byRefreshToken(state, client, form);
  }
}

function byCredentials(client: Client, form: URLSearchParams): Grant | Refused {
  if (client.authMethod === 'none') {
    return refuse(400, 'invalid_grant', 'A public client has no credentials to be granted anything for.');
  }
  const scopes = words(form.get('scope'));
  const audience = form.getAll('audience').flatMap(words);
  const foreign = foreignWish(client, scopes, audience);
  if (foreign) return refuse(400, foreign.error, foreign.description);
  const nobody = { identity: undefined, openid: undefined, ext: {} };
  return { client, subject: client.id, scopes, audience, ...nobody, ended: false, generation: 0 };
}

const invalidGrant = (why: string): Refused => refuse(400, 'invalid_grant', why);

function byCode({ grants }: State, client: Client, form: URLSearchParams): Grant | Refused {
  const code = grants.code(form.get('code') ?? '');
  if (code?.grant.client !== client) return invalidGrant('There is no such authorization code for this client.');
  if (code.state !== 'fresh') {
    // RFC 6749, section 4.1.2: somebody else has it too, so what came of it ends.
    code.grant.ended = true;
    return invalidGrant('The authorization code has already been used.');
  }
  if (form.get('redirect_uri') !== code.redirectUri) {
    return invalidGrant("The 'redirect_uri' does not match the one from the authorize request.");
  }
  if (!verifies(code, form.get('code_verifier'))) {
    // One try, as at Hydra: a verifier is not to be guessed.
    code.state = 'spoilt';
    return invalidGrant('The PKCE code verifier does not match the code challenge.');
  }
  code.state = 'used';
  return code.grant;
}

/** RFC 7636, section 4.6. Without a challenge there must be no verifier, or the challenge was taken away on the way. */
function verifies({ codeChallenge }: Code, verifier: string | null): boolean {
  if (codeChallenge === undefined) return verifier === null;
  if (verifier === null || !/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return false;
  return sameSecret(createHash('sha256').update(verifier).digest('base64url'), codeChallenge);
}

function byRefreshToken({ grants }: State, client: Client, form: URLSearchParams): Grant | Refused {
  const found = grants.token(form.get('refresh_token') ?? '');
  if (found?.use !== 'refresh_token' || found.grant.client !== client) {
    return invalidGrant('The refresh token is malformed or not valid.');
  }
  if (!grants.counts(found)) {
    // A token that was used before is in two hands: RFC 9700, section 4.14.2.
    if (found.generation < found.grant.generation) found.grant.ended = true;
    return invalidGrant('The refresh token was already used, has expired or was revoked.');
  }
  found.grant.generation += 1;
  return found.grant;
}
