// What docs/oathkeeper.md and docs/from-oathkeeper.md show, run: the policy of the one, both files of the other.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type OathkeeperEdge, startOathkeeperEdge } from '../../oathkeeper/edge.ts';
import { startDevelopmentOry } from '../../ory/dev.ts';
import type { Ory } from '../../ory/ory.ts';
import { claimsOf, type ScriptedOry, sign, startScriptedOry } from '../attacks/scripted-ory.ts';
import { type App, startApp } from '../rig/app.ts';
import { type Lines, type Request, send } from '../rig/client.ts';
import { type Edge, startEdge } from '../rig/edge.ts';
import { outcome, Sessions } from './rig.ts';

const page = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
const blocks = (text: string) => [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block);

describe('docs/oathkeeper.md', () => {
  let ory: Ory;
  let app: App;
  let edge: OathkeeperEdge;
  beforeAll(async () => {
    ory = await startDevelopmentOry();
    app = await startApp('app');
    const [text = ''] = blocks(page('oathkeeper.md'));
    const here = text
      .replaceAll('http://127.0.0.1:4455', ory.kratos.publicUrl)
      .replaceAll('http://127.0.0.1:4456', app.url);
    edge = await startOathkeeperEdge(parse(here) as Record<string, unknown>);
  });
  afterAll(async () => {
    await edge?.close();
    await app?.close();
    await ory?.close();
  });

  it('its policy refuses nobody’s request and takes a session', async () => {
    const ada = await ory.createPerson();
    const { token } = await ory.login(ada);
    const get = (headers: Lines) => send(edge.url, 'HTTP/1.1', { path: '/app', headers });
    expect((await get([])).status).toBe(401);
    const answer = await get([
      ['X-Session-Token', token],
      ['X-User-Id', 'root'],
    ]);
    expect(answer.seen().header('x-user-id')).toEqual([ada.id]);
  });
});

it('the key of a project reaches Hydra from the environment, as docs/oathkeeper.md has it', async () => {
  const [, name = '', value = ''] = /export (AUTHENTICATORS_\w+)="(.*)"$/m.exec(page('oathkeeper.md')) ?? [];
  const ory = await startScriptedOry();
  const env = { [name]: value.replaceAll('\\"', '"').replace('$ORY_API_KEY', 'ory_pat_canary') };
  const edge = await startOathkeeperEdge(
    {
      ory: { url: ory.url, api_key: 'ory_pat_of-the-file', hydra: { issuer: ory.issuer } },
      tokens: { audiences: ['a'] },
      rules: [{ name: 'api', match: { path: '/**' }, require: { token: {} } }],
      edge: { upstream: ory.url },
    },
    { env },
  );
  const answer = await send(edge.url, 'HTTP/1.1', { headers: [['Authorization', 'Bearer ory_at_x']] });
  await edge.close();
  await ory.close();
  expect(answer.status).toBe(401);
  const [asked] = ory.askedFor('/admin/oauth2/introspect');
  expect(asked?.headers).toContainEqual(['authorization', 'Bearer ory_pat_canary']);
});

describe('docs/from-oathkeeper.md', () => {
  let ory: ScriptedOry;
  let app: App;
  let before: OathkeeperEdge;
  let after: Edge;
  const tokens = new Map<string, string>();

  beforeAll(async () => {
    ory = await startScriptedOry();
    const sessions = new Sessions();
    ory.before = (request, response) => sessions.answer(request, response);
    sessions.add('ada', 'ada');
    sessions.add('ory_st_ada', 'ada');
    app = await startApp('app');
    const [configuration = '', rules = '', policyText = ''] = blocks(page('from-oathkeeper.md')).map((text) =>
      text.replaceAll(/http:\/\/(?:kratos:4433|hydra:4444|hydra-admin:4445)/g, ory.url),
    );
    const { edge, ...policy } = parse(policyText) as { readonly edge: { readonly public_url: string } };
    const { public_url } = edge;
    before = await startOathkeeperEdge(
      { ...policy, edge: { public_url, upstream: app.url } },
      { patch: (text, file) => asOnThePage(text, file, configuration, rules) },
    );
    after = await startEdge({ ...policy, edge: { public_url, upstreams: { app: app.url } } });
    for (const [name, scp] of [
      ['read', ['orders:read']],
      ['write', ['orders:write']],
    ] as const)
      tokens.set(name, await sign(ory.rs256, claimsOf(ory, { aud: ['https://api.acme.com'], scp })));
    const introspected = { active: true, token_use: 'access_token', sub: 'robot', client_id: 'c', iss: ory.issuer };
    ory.opaque.set('ory_at_x', { ...introspected, aud: ['https://api.acme.com'], scope: 'orders:read' });
  });
  afterAll(async () => {
    await before?.close();
    await after?.close();
    await app?.close();
    await ory?.close();
  });

  /** The page's Oathkeeper, where this run has it listen. */
  function asOnThePage(text: string, file: string, configuration: string, rules: string): string {
    if (file === 'access-rules.yml') return rules;
    if (file !== 'oathkeeper.yml') return text;
    const { serve } = parse(text) as { readonly serve: object };
    return stringify({ ...(parse(configuration) as object), serve });
  }

  const acme = { host: 'acme.com' };
  const cookie: Lines = [['Cookie', 'ory_kratos_session=ada']];
  const bearer = (name: string): Lines => [['Authorization', `Bearer ${tokens.get(name) ?? name}`]];
  const api = (headers: Lines, more: Request = {}) => ({ host: 'api.acme.com', path: '/orders/1', headers, ...more });

  const SAME: readonly [string, () => Request][] = [
    ['a picture', () => ({ ...acme, path: '/assets/x' })],
    ['a picture, with a forged identity', () => ({ ...acme, path: '/assets/x', headers: [['X-User-Id', 'root']] })],
    ['a page, without a session', () => ({ ...acme, path: '/x' })],
    ['a page, with one', () => ({ ...acme, path: '/x', headers: cookie })],
    ['a page, with a bad one', () => ({ ...acme, path: '/x', headers: [['Cookie', 'ory_kratos_session=no']] })],
    ['a page, for a person', () => ({ ...acme, path: '/x', headers: [['Accept', 'text/html']] })],
    ['a form', () => ({ ...acme, path: '/x', method: 'POST', headers: cookie })],
    ['another method', () => ({ ...acme, path: '/nothing', method: 'DELETE', headers: cookie })],
    ['an order', () => api(bearer('read'))],
    ['an order, by an opaque token', () => api(bearer('ory_at_x'))],
    ['an order, without a token', () => api([])],
    ['an order, with a session', () => api(cookie)],
    ['the home page, with a session', () => ({ ...acme, path: '/', headers: cookie })],
  ];
  it.each(SAME)('%s: the same before and after', async (_, request) => {
    const [old, next] = [await send(before.url, 'HTTP/1.1', request()), await send(after.url, 'HTTP/1.1', request())];
    expect(outcome(next)).toBe(outcome(old));
  });

  it.each([
    ['nobody has no name', { ...acme, path: '/' }, '200 x-user-id=guest', '200'],
    ['a scope that is missing', 'write', '401', '403'],
    [
      'a session that has ended is nobody',
      { ...acme, path: '/', headers: [['Cookie', 'ory_kratos_session=no']] as Lines },
      '401',
      '200',
    ],
  ])('what differs, as the page says: %s', async (_, what, wasThen, isNow) => {
    const request = typeof what === 'string' ? api(bearer(what)) : what;
    const [old, next] = [await send(before.url, 'HTTP/1.1', request), await send(after.url, 'HTTP/1.1', request)];
    expect([outcome(old), outcome(next)]).toEqual([wasThen, isNow]);
  });
});
