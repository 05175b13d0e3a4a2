// Attacks on Oathkeeper behind Envoy, and each defence taken away once: then the attack succeeds.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everySpelling } from '../../../src/generate/envoy/header-stripping.ts';
import { type OathkeeperEdge, startOathkeeperEdge } from '../../oathkeeper/edge.ts';
import { claimsOf, type ScriptedOry, sign, startScriptedOry } from '../attacks/scripted-ory.ts';
import { type App, startApp } from '../rig/app.ts';
import { type Lines, type Request, send } from '../rig/client.ts';
import { outcome, PAGE, PUBLIC_URL, policyOf, Sessions } from './rig.ts';

let ory: ScriptedOry;
let sessions: Sessions;
let app: App;
let edge: OathkeeperEdge;

const start = (patch?: (text: string, file: string) => string, more: object = {}) =>
  startOathkeeperEdge(
    { ...policyOf(ory), edge: { upstreams: { app: app.url }, public_url: PUBLIC_URL, ...more } },
    patch ? { patch } : {},
  );

beforeAll(async () => {
  ory = await startScriptedOry();
  sessions = new Sessions();
  ory.before = (request, response) => sessions.answer(request, response);
  sessions.add('ory_st_ada', 'ada', { traits: {} });
  app = await startApp('app');
  edge = await start();
});
afterAll(async () => {
  await edge?.close();
  await app?.close();
  await ory?.close();
});

const ADA: Lines = [['X-Session-Token', 'ory_st_ada']];
const ask = async (request: Request, { url }: Pick<OathkeeperEdge, 'url'> = edge) =>
  outcome(await send(url, 'HTTP/1.1', request));

describe('a forged identity', () => {
  const FORGED = 'forged';
  const SPELLINGS: readonly Lines[] = [
    [['X-User-Id', FORGED]],
    [['x_user_id', FORGED]],
    [['X.User.Id', FORGED]],
    [
      ['x-user-id', ''],
      ['X-USER_ID', FORGED],
    ],
    [
      ['X-User-Email', FORGED],
      ['x_user~email', FORGED],
      ['X-User-Level', FORGED],
    ],
    [['Connection', 'close, X-User-Id']],
  ];
  const RULES: readonly [string, Request][] = [
    ['that asks nobody', { path: '/open/x' }],
    ['that identifies nobody', { path: '/' }],
    ['that identifies', { path: '/', headers: ADA }],
    ['that requires a session', { path: '/app/x', headers: ADA }],
    [
      'of a preflight',
      {
        path: '/spa/x',
        method: 'OPTIONS',
        headers: [
          ['Origin', PAGE],
          ['Access-Control-Request-Method', 'PUT'],
        ],
      },
    ],
  ];
  it.each(RULES)('never arrives on a rule %s', async (_, request) => {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const)
      for (const forged of SPELLINGS.slice(0, protocol === 'HTTP/2' ? -1 : undefined)) {
        const answer = await send(edge.url, protocol, { ...request, headers: [...(request.headers ?? []), ...forged] });
        const known = request.headers === ADA ? ' x-user-id=ada' : '';
        expect([forged, outcome(answer)]).toEqual([forged, `200${known}`]);
      }
  });
});

describe('another request than the one that is sent on', () => {
  const STEERING: readonly Lines[] = [
    [['X-Forwarded-Uri', '/assets/x']],
    [['X-Forwarded-Method', 'GET']],
    [
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Uri', '/'],
      ['X-Forwarded-Host', 'edge.test'],
      ['X-Forwarded-Proto', 'https'],
    ],
    [
      ['x_forwarded_method', 'GET'],
      ['x_forwarded_uri', '/'],
    ],
    [['X-Original-Uri', '/']],
    [['X-HTTP-Method-Override', 'GET']],
  ];
  it.each([0, 1])('is not judged, with %i trusted hops', async (hops) => {
    const other = await start(undefined, { trusted_hops: hops });
    try {
      for (const headers of STEERING) {
        expect([headers, await ask({ path: '/app/x', headers }, other)]).toEqual([headers, '401']);
        expect(await ask({ path: '/doc/x', method: 'POST', headers }, other)).toBe('401');
        expect(await ask({ path: '/', host: 'admin.test', headers }, other)).toBe('401');
      }
    } finally {
      await other.close();
    }
  });

  it.each([
    ['/assets/../app/x', '401'],
    ['/assets/%2e%2e/app/x', '401'],
    ['/assets//../app/x', '200'],
    ['/assets\\..\\app\\x', '401'],
    ['//app/x', '401'],
    ['/%61pp/x', '401'],
    ['/app', '401'],
    ['/app/', '401'],
    ['/assets/..%2fapp/x', '400'],
    ['/assets/%252e%252e/app/x', '400'],
    ['/assets/..;/app/x', '401'],
    ['/assets/x;/../../app/x;y', '400'],
    ['/assets/%c0%ae%c0%ae/app/x', '400'],
    ['/decisions/assets/x', '403'],
    ['/app/x?/../../assets/x', '401'],
    ['/app/x?url=http://edge.test/assets/x', '401'],
  ])('nor reached by the path %s', async (path, expected) => {
    expect(await ask({ path })).toBe(expected);
  });
});

describe('a defence that is taken away', () => {
  interface Defence {
    readonly what: string;
    readonly away: (text: string, file: string) => string;
    readonly more?: object;
    readonly attack: (edge: OathkeeperEdge) => Promise<string>;
    /** With the defence, and without. */
    readonly outcomes: readonly [string, string];
  }
  const without = (found: RegExp | string, put: string) => (text: string) => text.replaceAll(found, put);
  const rules = (change: (text: string) => string) => (text: string, file: string) =>
    file === 'access-rules.yml' ? change(text) : text;
  const bearer = async (change: Record<string, unknown>): Promise<Lines> => [
    ['Authorization', `Bearer ${await sign(ory.rs256, claimsOf(ory, change))}`],
  ];
  /** How Kratos was asked. */
  const asked = async (request: Request, target: OathkeeperEdge): Promise<string> => {
    const since = ory.asked.length;
    await ask(request, target);
    const [one] = ory.asked.slice(since);
    return one ? `${one.method} ${one.path}` : 'not asked';
  };

  const DEFENCES: readonly Defence[] = [
    {
      what: 'identity headers are removed early',
      away: without(everySpelling('x-user-id'), 'nothing'),
      attack: (target) => ask({ path: '/open/x', headers: [['x_user_id', 'forged']] }, target),
      outcomes: ['200', '200 x_user_id=forged'],
    },
    {
      what: 'Oathkeeper is not told X-Forwarded-*',
      more: { trusted_hops: 1 },
      away: without(/( *)- exact: x-session-token\n/g, '$1- exact: x-session-token\n$1- prefix: x-forwarded-\n'),
      attack: (target) => ask({ path: '/app/x', headers: [['X-Forwarded-Uri', '/']] }, target),
      outcomes: ['401', '200'],
    },
    {
      what: 'expressions leave out what is of an earlier rule',
      away: rules(without(/\(\?!(?:[^$]|\\\$)*?\$\)/g, '')),
      attack: (target) => ask({ path: '/app/x', host: 'admin.test', headers: ADA }, target),
      outcomes: ['200 x-user-id=ada', '503'],
    },
    {
      what: 'no part of a host matches a slash',
      away: rules(without('[^/]+\\.acme', '.+\\.acme')),
      attack: (target) => ask({ path: '/api/x.acme.test/y', host: 'evil.test', headers: ADA }, target),
      outcomes: ['401', '200 x-user-id=ada'],
    },
    {
      what: 'only the session’s own cookie is one',
      away: without(/only:\n( +- .*\n)+/g, 'only: []\n'),
      attack: async (target) =>
        ask({ path: '/mixed/x', headers: [['Cookie', 'a=1'], ...(await bearer({ scp: [] }))] }, target),
      outcomes: ['200 x-user-id=ada x-user-scopes=[]', '401'],
    },
    {
      what: 'two credentials are refused',
      away: without('if not ambiguous(headers) then return end', 'if true then return end'),
      attack: (target) =>
        ask({ path: '/app/x', headers: [['Cookie', 'ory_kratos_session=ory_st_ada; ory_kratos_session=b']] }, target),
      outcomes: ['400', '200 x-user-id=ada'],
    },
    {
      what: 'nobody is not somebody',
      away: without('fail "nobody was verified"', '""'),
      attack: async (target) => {
        sessions.body = '{}';
        return ask({ path: '/app/x', headers: ADA }, target).finally(() => {
          sessions.body = undefined;
        });
      },
      outcomes: ['503', '200'],
    },
    {
      what: 'a session is one',
      away: without('fail "not a session"', '""'),
      attack: async (target) => {
        sessions.body = '{"id":"x","active":false,"identity":{"id":"root"}}';
        return ask({ path: '/app/x', headers: ADA }, target).finally(() => {
          sessions.body = undefined;
        });
      },
      outcomes: ['503', '200 x-user-id=root'],
    },
    {
      what: 'an ID token is no access token',
      away: without('fail "not an access token"', '""'),
      attack: async (target) =>
        ask({ path: '/api/x', headers: await bearer({ client_id: undefined, scp: undefined }) }, target),
      outcomes: ['503', '200 x-user-id=ada x-user-scopes=[]'],
    },
    {
      what: 'a token is told from a session',
      away: without(/typeIs "\[\]string" \(index .Extra "scp"\)|hasKey .Extra "client_id"/g, 'false'),
      attack: async (target) =>
        ask({ path: '/mixed/x', headers: await bearer({ id: 'x', active: true, identity: { id: 'root' } }) }, target),
      outcomes: ['200 x-user-id=ada x-user-scopes=["read"]', '200 x-user-id=root'],
    },
    {
      what: 'what has no value is not there',
      away: without('if headers:get(name) == "" then', 'if false then'),
      attack: (target) => ask({ path: '/app/x', headers: ADA }, target),
      outcomes: ['200 x-user-id=ada', '200 x-user-email= x-user-id=ada x-user-level= x-user-scopes='],
    },
    {
      what: 'Kratos is asked with nothing of the client’s but the credential',
      away: without(/force_method: GET\n|preserve_path: true\n/g, '\n'),
      attack: (target) => asked({ method: 'POST', path: '/app/x?tokenize_as=evil', headers: ADA }, target),
      outcomes: ['GET /sessions/whoami', 'POST /app/x'],
    },
    {
      what: 'nor with the client’s query',
      away: without('preserve_query: true', 'preserve_query: false'),
      attack: (target) => asked({ path: '/app/x?tokenize_as=evil', headers: ADA }, target),
      outcomes: ['GET /sessions/whoami', 'GET /sessions/whoami?tokenize_as=evil'],
    },
    {
      what: 'Hydra is told no secret that is not its own',
      away: without(/prefix: ory_at_\n/g, '\n'),
      attack: (target) => asked({ path: '/api/x', headers: [['Authorization', 'Bearer ory_st_ada']] }, target),
      outcomes: ['not asked', 'POST /admin/oauth2/introspect'],
    },
  ];

  it.each(DEFENCES)('$what', async ({ away, more, attack, outcomes }) => {
    const defended = await start(undefined, more);
    const open = await start(away, more).catch(async (error: unknown) => {
      await defended.close();
      throw error;
    });
    try {
      expect([await attack(defended), await attack(open)]).toEqual(outcomes);
    } finally {
      await defended.close();
      await open.close();
    }
  });
});

it('no credential stands in a log', async () => {
  const secrets = ['ory_st_canary', 'canary-cookie', 'canary.to.ken', 'ory_at_canary'];
  const [token = '', cookie = '', jwt = '', opaque = ''] = secrets;
  for (const path of ['/app/x', '/api/x', '/mixed/x', '/', '/web/x', '/none'])
    for (const headers of [
      [['X-Session-Token', token]],
      [['Cookie', `ory_kratos_session=${cookie}`]],
      [['Authorization', `Bearer ${jwt}`]],
      [['Authorization', `Bearer ${opaque}`]],
    ] as Lines[])
      await ask({ path, headers });
  for (const secret of secrets) expect(edge.log()).not.toContain(secret);
});
