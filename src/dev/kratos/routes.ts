// Kratos's paths at the development Ory. No I/O.
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { type DevContext, fault, json } from '../answer.ts';
import type { State } from '../state.ts';
import * as identities from './admin-identities.ts';
import * as sessions from './admin-sessions.ts';
import type { Identity } from './identities.ts';
import { beginApi, beginBrowser, loginPage, showLoginFlow } from './login.ts';
import { submitLogin } from './login-submit.ts';
import { logout, logoutApi, logoutBrowser, logoutLink } from './logout.ts';
import { endOtherSessions, endOwnSession, listOwnSessions } from './own-sessions.ts';
import { beginSettingsApi, beginSettingsBrowser, settingsPage, showSettingsFlow } from './settings.ts';
import { submitSettings } from './settings-submit.ts';
import { whoami } from './whoami.ts';

export function addKratos(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.get('/schemas/person', (c) => json(c, 200, { $id: 'person', type: 'object' }));
  app.all('/sessions/whoami', (c) => whoami(c, state));
  app.get('/sessions', (c) => listOwnSessions(c, state));
  app.delete('/sessions', (c) => endOtherSessions(c, state));
  app.delete('/sessions/:id', (c) => endOwnSession(c, state));

  app.get('/self-service/login/api', (c) => beginApi(c, state));
  app.get('/self-service/login/browser', (c) => beginBrowser(c, state));
  app.get('/self-service/login/flows', (c) => showLoginFlow(c, state));
  app.post('/self-service/login', (c) => submitLogin(c, state));
  app.get('/ui/login', (c) => loginPage(c, state));

  app.get('/self-service/settings/api', (c) => beginSettingsApi(c, state));
  app.get('/self-service/settings/browser', (c) => beginSettingsBrowser(c, state));
  app.get('/self-service/settings/flows', (c) => showSettingsFlow(c, state));
  app.get('/self-service/settings', (c) => settingsPage(c, state));
  app.post('/self-service/settings', (c) => submitSettings(c, state));
  app.get('/ui/settings', (c) => settingsPage(c, state));

  app.delete('/self-service/logout/api', (c) => logoutApi(c, state));
  app.get('/self-service/logout/browser', (c) => logoutBrowser(c, state));
  app.get('/self-service/logout', (c) => logout(c, state));
  app.get('/ui/logout', (c) => logoutLink(c, state));
}

export function addKratosAdmin(app: Hono<{ Bindings: HttpBindings }>, state: State): void {
  app.get('/admin/sessions', (c) => sessions.listSessions(c, state));
  app.get('/admin/sessions/:id', (c) => sessions.showSession(c, state));
  app.delete('/admin/sessions/:id', (c) => sessions.deleteSession(c, state));
  app.get('/admin/identities', (c) => identities.listIdentities(c, state));
  app.post('/admin/identities', (c) => identities.createIdentity(c, state));
  app.get('/admin/identities/:id', (c) => withIdentity(c, state, identities.showIdentity));
  app.patch('/admin/identities/:id', (c) => withIdentity(c, state, identities.patchIdentity));
  app.put('/admin/identities/:id', (c) => withIdentity(c, state, identities.putIdentity));
  app.delete('/admin/identities/:id', (c) => withIdentity(c, state, identities.deleteIdentity));
  app.delete('/admin/identities/:id/credentials/totp', (c) => withIdentity(c, state, identities.deleteTotp));
  app.get('/admin/identities/:id/sessions', (c) => sessions.listIdentitySessions(c, state));
  app.delete('/admin/identities/:id/sessions', (c) => withIdentity(c, state, sessions.deleteIdentitySessions));
}

type IdentityHandler = (c: DevContext, state: State, identity: Identity) => Response | Promise<Response>;

function withIdentity(c: DevContext, state: State, handler: IdentityHandler): Response | Promise<Response> {
  const identity = state.identities.get(c.req.param('id') ?? '');
  return identity ? handler(c, state, identity) : fault(c, 404, {});
}
