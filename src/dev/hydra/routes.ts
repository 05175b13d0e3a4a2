// Hydra's paths at the development Ory. No I/O.
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { json } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import * as admin from './admin.ts';

export function addHydra(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.get('/.well-known/openid-configuration', (c) => json(c, 200, discovery(state.issuer, baseUrl(c, state.url))));
  app.get('/.well-known/jwks.json', (c) => json(c, 200, state.keys.jwks()));
  app.post('/oauth2/token', (c) => state.tokens.token(c));
}

export function addHydraAdmin(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.post('/admin/oauth2/introspect', (c) => state.tokens.introspect(c));
  app.post('/admin/clients', (c) => admin.createClient(c, state));
  app.put('/admin/keys/:set/:kid', (c) => admin.putKey(c, state));
}

/** Only what is there: nobody is sent to an authorization endpoint that does not exist. */
function discovery(issuer: string, base: string): Record<string, unknown> {
  return {
    issuer,
    token_endpoint: `${base}/oauth2/token`,
    jwks_uri: `${base}/.well-known/jwks.json`,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    id_token_signing_alg_values_supported: ['RS256'],
    subject_types_supported: ['public'],
    response_types_supported: [],
  };
}
