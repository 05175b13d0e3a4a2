// Discovery: only what is there, so that nobody is sent to an endpoint that does not exist. No I/O.

interface Discoverable {
  readonly issuer: string;
  readonly base: string;
  readonly dynamicRegistration: boolean;
}

/** OpenID Connect Discovery, section 3, in Hydra's order. */
export function discovery({ issuer, base, dynamicRegistration }: Discoverable): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${base}/oauth2/auth`,
    ...(dynamicRegistration ? { registration_endpoint: `${base}/oauth2/register` } : {}),
    token_endpoint: `${base}/oauth2/token`,
    jwks_uri: `${base}/.well-known/jwks.json`,
    subject_types_supported: ['public'],
    response_types_supported: ['code'],
    claims_supported: ['sub', 'email', 'email_verified', 'name'],
    grant_types_supported: ['authorization_code', 'client_credentials', 'refresh_token'],
    response_modes_supported: ['query'],
    userinfo_endpoint: `${base}/userinfo`,
    scopes_supported: ['offline_access', 'offline', 'openid', 'email', 'profile'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic', 'none'],
    userinfo_signing_alg_values_supported: ['none'],
    id_token_signing_alg_values_supported: ['RS256'],
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    claims_parameter_supported: false,
    revocation_endpoint: `${base}/oauth2/revoke`,
    code_challenge_methods_supported: ['S256'],
  };
}
