// What a client asks for at `/oauth2/auth`, found to be allowed or not, and how it is answered. No I/O.
import type { DevContext } from '../answer.ts';
import { type Client, foreignWish, mayUse } from './clients.ts';
import { words } from './form.ts';

/** What a client asks of a person, found to be allowed. */
export interface AuthorizationRequest {
  readonly client: Client;
  readonly redirectUri: string;
  readonly state: string;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly nonce: string | undefined;
  readonly codeChallenge: string | undefined;
  readonly requestedAtMs: number;
}

/** A request that waits for the answer of whoever has this session. */
export interface PendingConsent {
  readonly request: AuthorizationRequest;
  readonly sessionId: string;
}

/** RFC 6749, section 4.1.2.1. */
export interface AuthorizationFault {
  readonly error: string;
  readonly error_description: string;
}

export function readRequest(
  c: DevContext,
  client: Client,
  back: { readonly redirectUri: string; readonly state: string },
  nowMs: number,
): AuthorizationRequest | AuthorizationFault {
  const repeated = [
    'state',
    'scope',
    'response_type',
    'nonce',
    'code_challenge',
    'code_challenge_method',
    'prompt',
  ].find((name) => (c.req.queries(name) ?? []).length > 1);
  if (repeated !== undefined) return { error: 'invalid_request', error_description: `'${repeated}' was given twice.` };
  const refused = wrongKind(c, client) ?? wrongChallenge(c, client);
  if (refused) return refused;
  if (back.state.length < 8) {
    const description = "Request parameter 'state' must be at least 8 characters long to ensure sufficient entropy.";
    return { error: 'invalid_state', error_description: description };
  }
  const scopes = [...new Set(words(c.req.query('scope')))];
  const audience = [...new Set((c.req.queries('audience') ?? []).flatMap(words))];
  const foreign = foreignWish(client, scopes, audience);
  if (foreign) return { error: foreign.error, error_description: foreign.description };
  const nonce = c.req.query('nonce');
  const codeChallenge = c.req.query('code_challenge');
  return { client, ...back, scopes, audience, nonce, codeChallenge, requestedAtMs: nowMs };
}

function wrongKind(c: DevContext, client: Client): AuthorizationFault | undefined {
  const responseType = c.req.query('response_type') ?? '';
  const allowed = client.responseTypes.length === 0 ? ['code'] : client.responseTypes;
  if (responseType !== 'code' || !allowed.includes('code')) {
    const description = `The client is not allowed to request response_type '${responseType}'.`;
    return { error: 'unsupported_response_type', error_description: description };
  }
  if (!mayUse(client, 'authorization_code')) {
    return {
      error: 'unauthorized_client',
      error_description: "The client is not allowed to use 'authorization_code'.",
    };
  }
  if ((c.req.query('response_mode') ?? 'query') !== 'query') {
    return { error: 'unsupported_response_mode', error_description: 'The development Ory answers in the query alone.' };
  }
  if (c.req.query('request') !== undefined) {
    return { error: 'request_not_supported', error_description: 'The development Ory reads no request objects.' };
  }
  if (c.req.query('request_uri') !== undefined) {
    return { error: 'request_uri_not_supported', error_description: 'The development Ory reads no request objects.' };
  }
  return undefined;
}

/** RFC 7636: S256 alone; and a public client, which has no secret, must bring one. */
function wrongChallenge(c: DevContext, client: Client): AuthorizationFault | undefined {
  const challenge = c.req.query('code_challenge');
  const method = c.req.query('code_challenge_method');
  if (challenge === undefined) {
    if (method === undefined && client.authMethod !== 'none') return undefined;
    return { error: 'invalid_request', error_description: 'Clients must include a code_challenge (PKCE).' };
  }
  if (method !== 'S256') {
    const description = 'Clients must use code_challenge_method=S256, plain is not allowed.';
    return { error: 'invalid_request', error_description: description };
  }
  if (/^[A-Za-z0-9_-]{43}$/.test(challenge)) return undefined;
  return { error: 'invalid_request', error_description: 'The code_challenge is no SHA-256 in base64url.' };
}

/** To the client's registered address, with the state that it sent, whatever happened. */
export function sendBack(
  c: DevContext,
  { redirectUri, state }: { readonly redirectUri: string; readonly state: string },
  answer: AuthorizationFault | { readonly code: string; readonly scope: string },
): Response {
  const target = new URL(redirectUri);
  for (const [name, value] of Object.entries({ ...answer, state })) target.searchParams.set(name, value);
  c.header('Cache-Control', 'no-store');
  return c.redirect(target.href, 303);
}
