// Paths, queries and hosts that two readers could take differently: none reaches a weaker rule than the one it is served by.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFindRule } from '../../../src/check/rule/find-rule.ts';
import { wireAnswer, wireCheck } from '../../../src/check/testing/grpc-wire.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { canonicalPath } from '../../../src/config/path.ts';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { grpcClient } from '../../../src/server/testing/grpc-client.ts';
import { sendRaw } from '../rig/client.ts';
import { WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Fields, sendFields } from './raw-http2.ts';
import { type Attacked, outcome, rawOutcome, startAttacked } from './rig.ts';

let attacked: Attacked;

beforeAll(async () => {
  attacked = await startAttacked();
});

afterAll(() => attacked?.close());

describe(attack(1), () => {
  // `/public/**` is open, `/admin/**` is not: 401 says that the strict rule was found, 400 that there are two readings.
  const SPELLINGS: readonly [string, string][] = [
    ['/public/../admin/x', '401 credential_missing'],
    ['/public/./../admin/x', '401 credential_missing'],
    ['/public/%2e%2e/admin/x', '401 credential_missing'],
    ['/public/.%2E/admin/x', '401 credential_missing'],
    ['/public\\..\\admin/x', '401 credential_missing'],
    ['/public/..;/admin/x', '401 credential_missing'],
    ['/public;/../admin/x', '401 credential_missing'],
    ['//admin/x', '401 credential_missing'],
    ['/%61dmin/x', '401 credential_missing'],
    ['/admin/', '401 credential_missing'],
    ['/admin', '401 credential_missing'],
    ['/public//../admin/x', '200 nobody /public/admin/x'],
    ['/public/x//', '200 nobody /public/x/'],
    ['/public/..%2fadmin/x', '400 path_ambiguous'],
    ['/public/..%5Cadmin/x', '400 path_ambiguous'],
    ['/public/%2e%2e%2fadmin/x', '400 path_ambiguous'],
    ['/public/%252e%252e/admin/x', '400 path_ambiguous'],
    ['/public/%c0%ae%C0%AE/admin/x', '400 path_ambiguous'],
    ['/public/%e0%80%ae%E0%80%AE/admin/x', '400 path_ambiguous'],
    ['/public/%f0%80%80%ae/admin/x', '400 path_ambiguous'],
    ['/public/x;/../../admin/x;y', '400 path_ambiguous'],
    ['/public/x;jsessionid=1', '400 path_ambiguous'],
    ['/public/x%3b', '400 path_ambiguous'],
    ['/public/%u0061', '400 path_ambiguous'],
    ['/public/%', '400 path_ambiguous'],
    ['/public/%7f', '400 path_ambiguous'],
    ['/public/x%00', '400'],
    ['/public/\x80', '400'],
    ['/public/x\x01', '400'],
    ['/ADMIN/x', '403 no_rule'],
    ['/publicity', '403 no_rule'],
  ];

  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each(SPELLINGS)('no spelling of a path reaches a weaker rule: %s', async (path, expected) => {
      expect(await rawOutcome(attacked.edges[transport], `GET ${path} HTTP/1.1`)).toBe(expected);
    });
  });

  it('over HTTP/2 neither', async () => {
    for (const [path, expected] of SPELLINGS.filter(([text]) => /^[!-[\]-~]*$/.test(text)))
      expect([path, await outcome(attacked.edges.http, 'HTTP/2', path)]).toEqual([path, expected]);
  });

  it('the authorizer refuses them by itself, behind an Envoy that normalises nothing', async () => {
    const { http } = attacked.edges;
    const grpc = grpcClient(http.authorizerGrpc);
    const raw = [
      ...['/public/../admin/x', '/public/./x', '/public//x', '/public/%2e%2e/admin', '/public\\x', '/public/..;/x'],
      ...[
        '/public/%2f',
        '/public/%5c',
        '/public/%252e',
        '/public/%61',
        '/public/%3b',
        '/public/%23',
        '/public/%',
        '/public/..',
      ],
      'public/x',
    ];
    try {
      for (const path of raw) {
        const overHttp = await sendRaw(
          http.authorizerUrl,
          `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`,
        );
        expect([path, /^HTTP\/1\.1 400 /.test(overHttp)]).toEqual([path, true]);
        const { metadata } = wireAnswer(await grpc.check(wireCheck({ target: path })));
        expect([path, metadata['ory-reason']]).toEqual([path, 'path_ambiguous']);
      }
    } finally {
      grpc.close();
    }
  });
});

describe(attack(2), () => {
  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    it.each([
      ['/admin/x?y=/public/x', '401 credential_missing'],
      ['/admin/x?/../../public/x', '401 credential_missing'],
      ['/admin/x?', '401 credential_missing'],
      ['/public?/../../admin/x', '200 nobody /public?/../../admin/x'],
      ['/nowhere?/public/x', '403 no_rule'],
      ['/admin/x%3f/public/x', '400 path_ambiguous'],
      ['/admin/x%3f/../../public/x', '200 nobody /public/x'],
      ['/admin/x%23/public/x', '400 path_ambiguous'],
    ])('a rule sees the path alone: %s', async (path, expected) => {
      expect(await outcome(attacked.edges[transport], protocol, path)).toBe(expected);
    });
  });

  it.each(['/admin/x#/public/x', '/public/#/../../admin/x', '/public/x#'])(
    'a fragment is no part of a request: %s',
    async (path) => {
      expect(await rawOutcome(attacked.edges.http, `GET ${path} HTTP/1.1`)).toBe('400');
    },
  );
});

describe(attack(4), () => {
  // `/public/x` is open on every host but admin.test: a host that is not recognised would be let in.
  const HOSTS: readonly [string, string][] = [
    ['admin.test', '401 credential_missing'],
    ['ADMIN.Test', '401 credential_missing'],
    ['admin.test:8080', '401 credential_missing'],
    ['admin.test:', '401 credential_missing'],
    ['admin.test.', '401 credential_missing'],
    ['Admin.TEST.:1', '401 credential_missing'],
    ['admin.test..', '400 path_ambiguous'],
    ['admin.test:80:80', '400 path_ambiguous'],
    ['admin%2etest', '400 path_ambiguous'],
    ['u:p@admin.test', '400 path_ambiguous'],
    ['', '400 path_ambiguous'],
    ['admin.test, app.test', '400'],
    ['admin.test/x', '400'],
    ['admin.test\x00', '400'],
  ];

  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each(HOSTS)('a host has one reading: "%s"', async (host, expected) => {
      expect(await rawOutcome(attacked.edges[transport], 'GET /public/x HTTP/1.1', `host: ${host}`)).toBe(expected);
    });

    it('two hosts are none', async () => {
      const edge = attacked.edges[transport];
      expect(await rawOutcome(edge, 'GET /public/x HTTP/1.1', 'host: app.test', 'host: admin.test')).toBe(
        '400 path_ambiguous',
      );
    });

    it('the host of an absolute target counts, and not the Host beside it', async () => {
      const edge = attacked.edges[transport];
      for (const target of [
        'http://admin.test/public/x',
        'http://ADMIN.test:80/public/x',
        'http://app@admin.test/public/x',
      ])
        expect([target, await rawOutcome(edge, `GET ${target} HTTP/1.1`, 'host: app.test')]).toEqual([
          target,
          '401 credential_missing',
        ]);
      expect(await rawOutcome(edge, 'GET http://app.test/admin/x HTTP/1.1')).toBe('401 credential_missing');
    });
  });
});

describe(attack('method'), () => {
  // `/doc/**` is open for GET and HEAD alone; Envoy’s own HTTP/1 codec knows no such methods.
  describe.each(TRANSPORTS)('checks over %s', (transport) => {
    it.each(['delete', 'Post', 'gET', 'M1', 'G_T'])(
      'a method that an application could take for another is refused: %s',
      async (method) => {
        const fields: Fields = [
          [':method', method],
          [':scheme', 'http'],
          [':path', '/doc/x'],
          [':authority', 'app.test'],
        ];
        const edge = attacked.edges[transport];
        const before = edge.app.count();
        const answer = await sendFields(edge.url, fields);
        // Over HTTP the authorizer’s own parser takes no such method, and says so without a body.
        if (transport === 'grpc') expect(answer).toContain('"reason":"path_ambiguous"');
        expect(answer).not.toMatch(/"url"|credential_missing/);
        expect(await rawOutcome(edge, `${method} /doc/x HTTP/1.1`)).toBe('400');
        expect(edge.app.count()).toBe(before);
      },
    );
  });

  it('the authorizer refuses it by itself', async () => {
    const grpc = grpcClient(attacked.edges.http.authorizerGrpc);
    try {
      for (const method of ['', 'delete', 'Get', 'gET', 'GET ', 'M1']) {
        const { metadata } = wireAnswer(await grpc.check(wireCheck({ method, target: '/doc/x' })));
        expect([method, metadata['ory-reason']]).toEqual([method, 'path_ambiguous']);
      }
    } finally {
      grpc.close();
    }
  });
});

describe(attack(5), () => {
  const STARS = Array.from({ length: 30 }, () => '*').join('/');
  const { rules } = parseConfig(
    `ory: { url: http://127.0.0.1:1 }
edge: { upstream: http://127.0.0.1:1 }
rules:
${Array.from({ length: 20 }, (_, i) => `  - { name: r${i}, match: { path: "/${STARS}/x${i}" }, allow: anyone }`).join('\n')}
  - { name: rest, match: { path: "/${STARS}/**" }, allow: anyone }
`,
    'x',
    { env: {} },
  );

  /** The fastest of several: what a busy machine adds is not the code's. */
  function fastestMs(work: () => void): number {
    return Math.min(
      ...Array.from({ length: 7 }, () => {
        const started = performance.now();
        work();
        return performance.now() - started;
      }),
    );
  }

  it.each([
    ['as many segments as a glob has stars', `/${'aaaaaaaa/'.repeat(30)}a`],
    ['long segments', `/${`${'a'.repeat(500)}/`.repeat(30)}!`],
    ['thousands of segments', `/${'a/'.repeat(8_000)}`],
    ['escapes alone', `/${'%c3%a9'.repeat(2_700)}`],
  ])('an adversarial path is judged at once: %s', (_, path) => {
    const findRule = createFindRule(rules);
    expect(
      fastestMs(() => {
        const canonical = canonicalPath(path);
        findRule({ method: 'GET', host: 'a', path: canonical ?? '/' });
      }),
    ).toBeLessThan(500);
  });

  it('and Envoy answers it as soon', async () => {
    const path = `/${'aaaaaaaa/'.repeat(1_500)}`;
    expect(await outcome(attacked.edges.http, 'HTTP/1.1', path)).toBe('403 no_rule');
  });
});
