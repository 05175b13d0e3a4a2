// What a run says, to people and to programs.
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { createEngine } from './engine.ts';
import { parseCases } from './load.ts';
import { type CaseResult, type Paint, resultOf, runJson, runText } from './report.ts';
import { compare } from './verdict.ts';

const CONFIG = parseConfig(
  `ory: { url: https://ory.example }
tokens: { audiences: [api] }
rules:
  - { name: orders, match: { path: "/orders/**" }, require: { token: { scopes: [read, write] } } }
  - { name: assets, match: { path: "/assets/**" }, allow: anyone }
  - { name: app, match: { path: "/app/**" }, require: { session: {} } }
edge: { upstream: "http://127.0.0.1:3000" }
`,
  'f.yaml',
  { env: {} },
);
const CASES = `cases:
  - name: assets are open
    request: { url: /assets/a }
    expect: { status: 200, rule: assets, headers: { x-user-id: null } }
  - name: a reader may write
    request: { method: POST, url: "/orders/1?x" }
    credential: { token: { scp: [read] } }
    expect: { status: 200, reason: token, rule: assets }
  - name: somebody else
    request: { url: /app/x }
    credential: { session: {}, session_as: bearer }
    expect: { status: 200, headers: { X-User-Id: ada, X-User-Email: null, X-Other: null } }
`;
const paint: Paint = (style, text) => (style === 'dim' ? text : `<${style}>${text}</${style}>`);

async function run(text = CASES): Promise<CaseResult[]> {
  const engine = await createEngine(CONFIG, 1_800_000_000_000);
  const results: CaseResult[] = [];
  for (const one of parseCases(text, 'cases.yaml', CONFIG, {})) results.push(resultOf(one, await engine.judge(one)));
  return results;
}

const whole = (results: readonly CaseResult[], edge?: string) => ({
  file: 'cases.yaml',
  config: CONFIG,
  edge,
  results,
});

describe('for people', () => {
  test('each case is a line, and one that failed says what was expected, what was found, and which rule it hit', async () => {
    expect(runText(whole(await run()), paint)).toMatchInlineSnapshot(`
      "cases.yaml, judged by the engine

        <ok>ok  </ok>  assets are open     200 anonymous, rule assets
        <failed>FAIL</failed>  a reader may write  403 scope_insufficient, rule orders
              case         cases.yaml:5
              request      POST /orders/1?x with a token
              status       expected 200
                           found    403
              reason       expected token
                           found    scope_insufficient
              rule         expected assets
                           found    orders
              because      the access token lacks a scope
              rule orders  any method /orders/**: a token for api with scope read and write
              rule assets  any method /assets/**: anyone, without identity
        <failed>FAIL</failed>  somebody else       200 session, rule app
              case                  cases.yaml:9
              request               GET /app/x with a session as bearer
              headers.X-User-Id     expected "ada"
                                    found    "case-identity"
              headers.X-User-Email  expected not there
                                    found    "case@example.com"
              headers.X-Other       expected not there
                                    found    it passed, and this is no identity header: the application gets X-User-Id, X-User-Email
              rule app              any method /app/**: a session

      <failed>3 cases, 2 not as expected</failed>
      "
    `);
  });

  test('all as expected is one line more', async () => {
    const text = runText(whole(await run(CASES.slice(0, CASES.indexOf('  - name: a reader')))), paint);
    expect(text).toMatchInlineSnapshot(`
      "cases.yaml, judged by the engine

        <ok>ok  </ok>  assets are open  200 anonymous, rule assets

      <ok>1 case, all as expected</ok>
      rules that no case reaches: orders, app
      "
    `);
  });

  test('of a case that nobody could judge the problem is said, and what could not be seen is counted', async () => {
    const [first, second] = await run();
    if (!first || !second) throw new Error('no case');
    const results = [
      resultOf(first.case, { kind: 'unjudged', problem: 'no answer came (ECONNRESET)' }),
      resultOf(second.case, {
        kind: 'verdict',
        status: 200,
        reason: undefined,
        rule: { kind: 'unseen' },
        headers: undefined,
      }),
    ];
    expect(runText(whole(results, 'http://edge'), paint)).toMatchInlineSnapshot(`
      "cases.yaml, judged by http://edge

        <failed>FAIL</failed>  assets are open     not judged
              case     cases.yaml:2
              request  GET /assets/a
              problem  no answer came (ECONNRESET)
        <ok>ok  </ok>  a reader may write  200

      <failed>2 cases, 1 not as expected</failed>
      not compared, because it cannot be seen from outside: reason 1 time, rule 1 time
      "
    `);
  });
});

test('for programs: one object', async () => {
  expect(runJson(whole(await run()))).toMatchInlineSnapshot(`
    {
      "cases": [
        {
          "differences": [],
          "identity_headers": {},
          "line": 2,
          "name": "assets are open",
          "not_compared": [],
          "ok": true,
          "reason": "anonymous",
          "request": {
            "method": "GET",
            "url": "/assets/a",
          },
          "rule": "assets",
          "status": 200,
        },
        {
          "differences": [
            {
              "expected": "200",
              "found": "403",
              "of": "status",
            },
            {
              "expected": "token",
              "found": "scope_insufficient",
              "of": "reason",
            },
            {
              "expected": "assets",
              "found": "orders",
              "of": "rule",
            },
          ],
          "line": 5,
          "name": "a reader may write",
          "not_compared": [],
          "ok": false,
          "reason": "scope_insufficient",
          "request": {
            "method": "POST",
            "url": "/orders/1?x",
          },
          "rule": "orders",
          "status": 403,
        },
        {
          "differences": [
            {
              "expected": ""ada"",
              "found": ""case-identity"",
              "of": "headers.X-User-Id",
            },
            {
              "expected": "not there",
              "found": ""case@example.com"",
              "of": "headers.X-User-Email",
            },
            {
              "expected": "not there",
              "found": "it passed, and this is no identity header: the application gets X-User-Id, X-User-Email",
              "of": "headers.X-Other",
            },
          ],
          "identity_headers": {
            "x-user-email": "case@example.com",
            "x-user-id": "case-identity",
          },
          "line": 9,
          "name": "somebody else",
          "not_compared": [],
          "ok": false,
          "reason": "session",
          "request": {
            "method": "GET",
            "url": "/app/x",
          },
          "rule": "app",
          "status": 200,
        },
      ],
      "failed": 2,
      "file": "cases.yaml",
      "judged_by": "engine",
      "ok": false,
      "passed": 1,
      "rules_not_reached": [],
    }
  `);
});

describe('what cannot be seen', () => {
  const outside = {
    kind: 'verdict',
    status: 401,
    reason: undefined,
    rule: { kind: 'unseen' },
    headers: undefined,
  } as const;
  const judged = async (expected: string) => {
    const text = `cases: [{ name: a, request: { url: /app/x }, expect: { ${expected} } }]`;
    const [one] = parseCases(text, 'cases.yaml', CONFIG, {});
    if (!one) throw new Error('no case');
    return resultOf(one, outside);
  };

  test('is no reason to say yes: a case of which nothing can be seen has failed', async () => {
    expect(await judged('rule: app')).toMatchObject({ ok: false, outcome: { kind: 'unjudged' } });
    expect(await judged('headers: { X-User-Id: a }')).toMatchObject({ ok: false, outcome: { kind: 'unjudged' } });
    expect(await judged('rule: app, status: 401')).toMatchObject({ ok: true, comparison: { notCompared: ['rule'] } });
  });

  test('a reason stands for its status', async () => {
    expect(await judged('reason: session')).toMatchObject({
      ok: false,
      comparison: { differences: [{ of: 'status', expected: '200, by its reason', found: '401' }] },
    });
    expect(await judged('reason: session_invalid')).toMatchObject({
      ok: true,
      comparison: { notCompared: ['reason'] },
    });
  });
});

describe('what is compared', () => {
  const seen = { kind: 'verdict', status: 401, reason: 'session_invalid', rule: { kind: 'none' } } as const;
  const headers = {
    identity: undefined,
    lines: [
      ['vary', 'A'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
  } as const;

  test.each([
    [
      {
        status: 401,
        reason: 'session_invalid',
        rule: null,
        headers: { Vary: 'A', 'Set-Cookie': ['a=1', 'b=2'], B: null },
      },
      [],
    ],
    [{ status: 403 }, ['status expected 403 found 401']],
    [{ reason: 'no_rule' }, ['reason expected no_rule found session_invalid']],
    [{ rule: 'app' }, ['rule expected app found none']],
    [{ headers: { Vary: 'a' } }, ['headers.Vary expected "a" found "A"']],
    [{ headers: { vary: null } }, ['headers.vary expected not there found "A"']],
    [{ headers: { 'Set-Cookie': 'a=1' } }, ['headers.Set-Cookie expected "a=1" found "a=1" and "b=2"']],
    [{ headers: { B: 'not there' } }, ['headers.B expected "not there" found not there']],
  ] as const)('%j', (expected, differences) => {
    const comparison = compare(structuredClone(expected) as Parameters<typeof compare>[0], { ...seen, headers });
    expect(comparison.differences.map(({ of, expected: e, found }) => `${of} expected ${e} found ${found}`)).toEqual(
      differences,
    );
  });
});
