// The policy that the suites share, and what differs between a development Ory and the real ones: nothing but addresses.
import type { Ory } from '../../ory/ory.ts';

export const AUDIENCE = 'https://api.test';
export const OTHER_AUDIENCE = 'https://other.test';
export const LOGIN_URL = 'http://login.test/self-service/login/browser';

/** `kratosUrl`, `hydraUrl` and `hydraAdminUrl` stand in for the servers where a suite puts a proxy before them. */
export function policy(
  ory: Ory,
  {
    kratosUrl = ory.kratos.publicUrl,
    hydraUrl = ory.hydra.publicUrl,
    hydraAdminUrl = ory.hydra.adminUrl,
    cache = {},
  }: { kratosUrl?: string; hydraUrl?: string; hydraAdminUrl?: string; cache?: object } = {},
) {
  return {
    ory: {
      kratos: { public_url: kratosUrl, admin_url: ory.kratos.adminUrl },
      hydra: { public_url: hydraUrl, admin_url: hydraAdminUrl, issuer: ory.hydra.issuer },
      login_url: LOGIN_URL,
      timeout: '2s',
    },
    tokens: { audiences: [AUDIENCE], clock_skew: '0s' },
    identity_headers: {
      'X-User-Id': ['session.identity.id', 'token.sub'],
      'X-User-Email': ['session.identity.traits.email', 'token.ext.email'],
      'X-User-Traits': ['session.identity.traits'],
    },
    cache,
    rules: [
      { name: 'public', match: { path: '/public/**' }, allow: 'anyone' },
      { name: 'home', match: { path: '/' }, allow: 'anyone', identify: true },
      { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
      { name: 'other', match: { path: '/other/**' }, require: { token: { audiences: [OTHER_AUDIENCE] } } },
      { name: 'web', match: { path: '/web/**' }, require: { session: {} }, unauthenticated: 'redirect' },
      {
        name: 'second',
        match: { path: '/second/*', methods: ['GET', 'POST'] },
        upstream: 'second',
        require: { session: {} },
      },
      { name: 'by-host', match: { host: '*.admin.test', path: '/**' }, upstream: 'second', require: { session: {} } },
      { name: 'app', match: { path: '/app/**' }, require: { session: {} } },
    ],
  };
}
