// Hydra's paths at the development Ory. No I/O.
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { json } from '../answer.ts';
import { baseUrl } from '../base-url.ts';
import type { State } from '../state.ts';
import * as admin from './admin.ts';
import { authorize } from './authorize.ts';
import { answerConsent } from './consent.ts';
import { discovery } from './discovery.ts';
import { introspect, revoke, userinfo } from './introspect.ts';
import { deleteRegistration, register, showRegistration } from './register.ts';
import { token } from './token.ts';

export function addHydra(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.get('/.well-known/openid-configuration', (c) =>
    json(c, 200, discovery({ ...state, base: baseUrl(c, state.url) })),
  );
  app.get('/.well-known/jwks.json', (c) => json(c, 200, state.keys.jwks()));
  app.get('/oauth2/auth', (c) => authorize(c, state));
  app.post('/oauth2/auth/consent', (c) => answerConsent(c, state));
  app.post('/oauth2/token', (c) => token(c, state));
  app.post('/oauth2/revoke', (c) => revoke(c, state));
  app.on(['GET', 'POST'], '/userinfo', (c) => userinfo(c, state));
  if (!state.dynamicRegistration) return;
  app.post('/oauth2/register', (c) => register(c, state));
  app.get('/oauth2/register/:id', (c) => showRegistration(c, state));
  app.delete('/oauth2/register/:id', (c) => deleteRegistration(c, state));
}

export function addHydraAdmin(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.post('/admin/oauth2/introspect', (c) => introspect(c, state));
  app.get('/admin/clients', (c) => admin.listClients(c, state));
  app.post('/admin/clients', (c) => admin.createClient(c, state));
  app.get('/admin/clients/:id', (c) => admin.showClient(c, state));
  app.delete('/admin/clients/:id', (c) => admin.deleteClient(c, state));
  app.get('/admin/keys/:set', (c) => admin.showKeys(c, state));
  app.post('/admin/keys/:set', (c) => admin.createKey(c, state));
  app.put('/admin/keys/:set/:kid', (c) => admin.putKey(c, state));
}
