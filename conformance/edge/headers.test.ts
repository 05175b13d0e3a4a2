// Identity headers are the edge's alone: no spelling of a client's reaches the application, on any rule.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import type { Ory, Person, Session } from '../ory/ory.ts';
import { ORYS } from '../ory/orys.ts';
import { type Lines, send } from './rig/client.ts';
import type { Edge } from './rig/edge.ts';
import { policy } from './rig/policy.ts';
import { type Edges, startEdges, WAYS } from './rig/transports.ts';

describe.each(ORYS)('with $name', ({ start }) => {
  let ory: Ory;
  let edges: Edges;
  let edge: Edge;
  let ada: Person;
  let session: Session;

  beforeAll(async () => {
    ory = await start();
    edges = await startEdges(() => policy(ory));
    ada = await ory.createPerson();
    session = await ory.login(ada);
  });

  afterAll(async () => {
    await edges?.close();
    await ory?.close();
  });

  const FORGED = 'forged';

  const spellings: [string, Lines][] = [
    ['as configured', [['X-User-Id', FORGED]]],
    ['in lower case', [['x-user-id', FORGED]]],
    ['in capitals', [['X-USER-ID', FORGED]]],
    ['with underscores', [['X_User_Id', FORGED]]],
    ['with dots', [['X.User.Id', FORGED]]],
    [
      'with separators mixed',
      [
        ['x_user-id', FORGED],
        ['x-user_id', FORGED],
        ['X.user-ID', FORGED],
      ],
    ],
    [
      'with other separators',
      [
        ['x~user~id', FORGED],
        ['x+user!id', FORGED],
      ],
    ],
    [
      'twice',
      [
        ['x-user-id', FORGED],
        ['x-user-id', `${FORGED}2`],
      ],
    ],
    [
      'as another identity header',
      [
        ['X-User-Email', `${FORGED}@evil.test`],
        ['X-User-Traits', FORGED],
      ],
    ],
    [
      'as the authorizer’s own wire',
      [
        ['ory-edge-key', FORGED],
        ['ory-status', '503'],
        ['ory-rule', FORGED],
        ['ory-reason', FORGED],
        ['ory-x-user-id', FORGED],
        ['x-envoy-auth-headers-to-remove', 'x-user-id'],
      ],
    ],
  ];

  const rules: [string, string, boolean][] = [
    ['a public rule', '/public/x', false],
    ['a rule that identifies, without a credential', '/', false],
    ['a rule that identifies', '/', true],
    ['a rule that requires a session', '/app/x', true],
  ];

  describe.each(WAYS)('forged identity headers over $protocol, checks over $transport', ({ protocol, transport }) => {
    beforeAll(() => {
      edge = edges[transport];
    });

    describe.each(rules)('on %s', (_rule, path, loggedIn) => {
      it.each(spellings)('never arrive %s', async (_name, headers) => {
        const credential: Lines = loggedIn ? [['X-Session-Token', session.token]] : [];
        const answer = await send(edge.url, protocol, { path, headers: [...headers, ...credential] });
        expect(answer.status).toBe(200);
        const seen = answer.seen();
        const values = seen.headers.filter(([name]) => !name.startsWith('ory-x-')).map(([, value]) => value);
        expect(values.filter((value) => value.includes(FORGED))).toEqual([]);
        expect(seen.header('x-user-id')).toEqual(loggedIn ? [ada.id] : []);
        expect(seen.header('x-user-email')).toEqual(loggedIn ? [ada.email] : []);
      });
    });
  });

  describe.each(TRANSPORTS)('hop-by-hop and forwarding headers, checks over %s', (transport) => {
    beforeAll(() => {
      edge = edges[transport];
    });

    it('cannot take the identity away with Connection', async () => {
      const answer = await send(edge.url, 'HTTP/1.1', {
        path: '/app/x',
        headers: [
          ['Connection', 'close, X-User-Id'],
          ['X-Session-Token', session.token],
        ],
      });
      expect(answer.seen().header('x-user-id')).toEqual([ada.id]);
    });

    it('cannot make the application take another method than the one that was judged', async () => {
      const names = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'x_http_method_override'];
      const answer = await send(edge.url, 'HTTP/1.1', {
        path: '/public/x',
        headers: names.map((name) => [name, 'DELETE'] as const),
      });
      expect(answer.seen().method).toBe('GET');
      expect(answer.seen().headers.filter(([, value]) => value === 'DELETE')).toEqual([]);
    });

    it('cannot change the path, method or host that is judged', async () => {
      for (const headers of [
        [['X-Original-Url', '/public/x']],
        [
          ['X-Forwarded-Uri', '/public/x'],
          ['X-Forwarded-Method', 'GET'],
          ['X-Forwarded-Host', 'a.admin.test'],
        ],
        [['X-Envoy-Original-Path', '/public/x']],
        [
          ['X-Rewrite-Url', '/public/x'],
          ['X-HTTP-Method-Override', 'GET'],
        ],
      ] as Lines[]) {
        const answer = await send(edge.url, 'HTTP/1.1', { path: '/app/x', headers });
        expect([answer.status, answer.json()['reason']]).toEqual([401, 'credential_missing']);
      }
    });
  });
});
