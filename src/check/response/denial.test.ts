// What a client is told, reason by reason.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import type { LoginQuery } from '../decide.ts';
import { DENIALS, type DenyReason } from '../reason.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { request } from '../testing/request.ts';
import { type Deny, deny } from '../verdict.ts';
import { denialOf } from './denial.ts';

const config = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://127.0.0.1:3000", public_url: https://app.example }
tokens: { audiences: [api] }
rules:
  - { name: session, match: { path: /s }, require: { session: {} } }
  - { name: token, match: { path: /t }, require: { token: {} } }
  - { name: pages-of-others, match: { path: /c }, require: { session: {} }, cors: { origins: [https://spa.example] } }
  - { name: own-host, match: { host: admin.example, path: "/**" }, require: { session: {} }, unauthenticated: redirect }
  - { name: tenants, match: { host: "*.tenants.example", path: "/**" }, require: { session: {} }, unauthenticated: redirect }
  - { name: page, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }
`,
  'f.yaml',
  { env: {} },
);
const ruleOf = (name: string) => config.rules.find((rule) => rule.name === name);
const answer = (reason: DenyReason, rule: string, given: Partial<CheckRequest> = {}, retryAfterSeconds?: number) => {
  const { access } = ruleOf(rule) ?? {};
  const requirement = access?.kind === 'require' ? access.anyOf[0] : undefined;
  const denial = denialOf(deny(reason, ruleOf(rule), { requirement, retryAfterSeconds }), request(given), config, 0);
  return { ...denial, headers: Object.fromEntries(denial.headers) };
};

const STATUS: Record<number, DenyReason[]> = {
  400: ['path_ambiguous', 'credential_ambiguous'],
  401: [
    'credential_missing',
    'credential_malformed',
    'session_invalid',
    'token_malformed',
    'token_expired',
    'token_not_yet_valid',
    'token_signature_invalid',
    'token_algorithm_forbidden',
    'token_key_unknown',
    'token_issuer_mismatch',
    'token_audience_mismatch',
    'token_kind_wrong',
    'token_inactive',
  ],
  403: ['aal_insufficient', 'session_too_old', 'scope_insufficient', 'claim_mismatch', 'no_rule'],
  503: ['ory_unreachable', 'ory_error', 'ory_rate_limited', 'jwks_unavailable', 'internal_error'],
};
const ROWS = Object.entries(STATUS).flatMap(([status, reasons]) =>
  reasons.map((reason) => [reason, Number(status)] as const),
);

describe('every reason', () => {
  test('is in the design’s table, and the table in the code', () => {
    expect(ROWS.map(([reason]) => reason).toSorted()).toEqual(Object.keys(DENIALS).toSorted());
  });

  test.each(ROWS)('%s is %d with a problem that is stored nowhere', (reason, status) => {
    const { headers, body, ...rest } = answer(reason, 'token');
    expect(rest).toEqual({ status, loginLoop: false });
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['retry-after']).toBe(status === 503 ? '1' : undefined);
    expect(JSON.parse(body)).toEqual({
      type: `urn:ory-envoy:reason:${reason}`,
      title: expect.stringMatching(/^[A-Z][A-Za-z ]+$/),
      status,
      reason,
      request_id: 'r-1',
    });
    expect(answer(reason, 'session').headers['www-authenticate']).toBeUndefined();
  });

  test.each([
    [undefined, '1'],
    [0, '1'],
    [7, '7'],
    [3_600, '60'],
  ])('Retry-After of %s is %s', (seconds, text) => {
    expect(answer('ory_rate_limited', 'session', {}, seconds).headers['retry-after']).toBe(text);
  });
});

describe('the request id', () => {
  test.each(['a"b', 'a\r\nb', 'x'.repeat(65), '', '<script>'])('%j of a client is not repeated', (requestId) => {
    expect(JSON.parse(answer('session_invalid', 'session', { requestId }).body).request_id).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a redirect to the login', () => {
  const navigation: Partial<CheckRequest> = {
    path: '/a/b',
    query: '?q=1&r=é',
    accept: 'text/html,application/xhtml+xml',
  };
  const base = 'https://ory.example/self-service/login/browser?return_to=';

  test('is for a navigation, with the whole address to return to, and stored nowhere', () => {
    const latin1 = Buffer.from('?q=1&r=é').toString('latin1');
    expect(answer('credential_missing', 'page', { ...navigation, query: latin1 })).toEqual({
      status: 302,
      headers: {
        location: `${base}https%3A%2F%2Fapp.example%2Fa%2Fb%3Fq%3D1%26r%3D%25C3%25A9`,
        'cache-control': 'no-store',
        'set-cookie': expect.stringMatching(
          /^__Host-ory_envoy_login=[\w.-]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax; Secure$/,
        ),
      },
      body: '',
      loginLoop: false,
    });
  });

  test.each<[string, Partial<CheckRequest>]>([
    ['a POST', { method: 'POST' }],
    ['a HEAD', { method: 'HEAD' }],
    ['no Accept', { accept: undefined }],
    ['JSON', { accept: 'application/json' }],
    ['anything', { accept: '*/*' }],
    ['an XHR', { requestedWith: 'XMLHttpRequest' }],
    ['a fetch', { secFetchMode: 'cors' }],
    ['a picture', { secFetchDest: 'image' }],
    ['a script', { secFetchMode: 'no-cors', secFetchDest: 'script' }],
  ])('is not for %s', (_, given) => {
    expect(answer('session_invalid', 'page', { ...navigation, ...given }).status).toBe(401);
  });

  test.each<[DenyReason, number]>([
    ['session_invalid', 302],
    ['credential_malformed', 302],
    ['credential_ambiguous', 400],
    ['aal_insufficient', 403],
    ['ory_unreachable', 503],
    ['internal_error', 503],
  ])('%s of a navigation is %d', (reason, status) => {
    expect(answer(reason, 'page', navigation).status).toBe(status);
  });

  test('is not on a rule that denies', () => {
    expect(answer('credential_missing', 'session', navigation).status).toBe(401);
  });

  test.each([
    '?//evil.example',
    '?return_to=https://evil.example',
    '?\\evil',
    '?a#@evil.example',
    '?%0d%0aset-cookie:x',
    '?@evil.example',
    '?\x80\xff"\'<>',
  ])('leads back to the edge’s own origin with %j', (query) => {
    const { location } = answer('credential_missing', 'page', { ...navigation, query }).headers;
    expect(location).toMatch(/^[\x21-\x7e]+$/);
    const url = new URL(location ?? '');
    expect(url.origin).toBe('https://ory.example');
    expect([...url.searchParams.keys()]).toEqual(['return_to']);
    const back = new URL(url.searchParams.get('return_to') ?? '');
    expect(back.origin).toBe('https://app.example');
    expect(back.pathname).toBe('/a/b');
  });
});

describe('the page that a redirect leads back to', () => {
  const back = (rule: string, host: string) => {
    const { location } = answer('credential_missing', rule, { host, path: '/x', accept: 'text/html' }).headers;
    return new URL(location ?? '').searchParams.get('return_to');
  };

  test.each([
    ['page', 'app.example', 'https://app.example/x'],
    ['page', 'evil.example', 'https://app.example/x'],
    ['own-host', 'ADMIN.example:8443', 'https://admin.example/x'],
    ['tenants', 'one.tenants.example', 'https://one.tenants.example/x'],
  ])('of rule %s on host %s is %s', (rule, host, url) => expect(back(rule, host)).toBe(url));
});

describe('the second factor', () => {
  const remedyUrl = 'https://ory.example/self-service/login/browser?aal=aal2';
  const sent = (given: Partial<CheckRequest>, rule = 'page', url: string | null = remedyUrl, of = config) => {
    const verdict = deny('aal_insufficient', ruleOf(rule), { remedyUrl: url ?? undefined });
    const denial = denialOf(verdict, request({ path: '/x', accept: 'text/html', ...given }), of, 0);
    return [denial.status, Object.fromEntries(denial.headers)['location']];
  };

  test('is asked of a navigation where Kratos says, with the way back', () => {
    expect(sent({})).toEqual([302, `${remedyUrl}&return_to=https%3A%2F%2Fapp.example%2Fx`]);
    expect(sent({}, 'page', 'https://ory.example/2fa#x')).toEqual([
      302,
      'https://ory.example/2fa?return_to=https%3A%2F%2Fapp.example%2Fx',
    ]);
  });

  test('is a 403 for everything else', () => {
    expect(sent({ accept: 'application/json' })).toEqual([403, undefined]);
    expect(sent({}, 'session')).toEqual([403, undefined]);
  });

  test('is on the edge’s own origin where Ory is', () => {
    const text =
      'ory: { url: "https://ory.example" }\nedge: { upstream: "http://u:1", public_url: "https://app.example", ory_path: /.ory }\n';
    const own = parseConfig(text, 'f.yaml', { env: {} });
    const expected = [
      302,
      'https://app.example/.ory/self-service/login/browser?aal=aal2&return_to=https%3A%2F%2Fapp.example%2Fx',
    ];
    expect(sent({}, 'page', remedyUrl, own)).toEqual(expected);
    expect(sent({}, 'page', 'https://app.example/.ory/self-service/login/browser?aal=aal2', own)).toEqual(expected);
    expect(sent({}, 'page', 'https://custom.example/self-service/login/browser?aal=aal2', own)).toEqual(expected);
  });
});

describe('what a session lacks', () => {
  const parse = (edge: string, ory = '{ url: "https://ory.example" }') =>
    parseConfig(
      `ory: ${ory}
edge: { upstream: "http://u:1", public_url: "https://app.example:8443"${edge} }
rules:
  - { name: api, match: { path: "/api/**" }, require: { session: { aal: aal2 } }, cors: { origins: [https://spa.example] } }
  - { name: own-host, match: { host: admin.example, path: "/**" }, require: { session: { aal: aal2 } }, unauthenticated: redirect }
  - { name: page, match: { path: "/**" }, require: { session: { aal: aal2, max_age: 15m } }, unauthenticated: redirect }
`,
      'f.yaml',
      { env: {} },
    );
  const plain = parse('');
  const below = parse(', ory_path: /.ory');
  const ask = (rule: string, verdict: Partial<Deny>, given: Partial<CheckRequest> = {}, of = plain) => {
    const details = { reason: 'aal_insufficient', loginQuery: 'aal=aal2', ...verdict } as const;
    const found = of.rules.find(({ name }) => name === rule);
    const denial = denialOf(deny(details.reason, found, details), request({ path: '/x', ...given }), of, 0);
    return { ...denial, headers: Object.fromEntries(denial.headers) };
  };
  const page: Partial<CheckRequest> = { query: '?a=1&b=%2F', accept: 'text/html' };
  const back = 'return_to=https%3A%2F%2Fapp.example%3A8443%2Fx%3Fa%3D1%26b%3D%252F';
  const flow = 'https://ory.example/self-service/login/browser';

  test.each<[DenyReason, LoginQuery]>([
    ['aal_insufficient', 'aal=aal2'],
    ['session_too_old', 'refresh=true'],
    ['session_too_old', 'refresh=true&aal=aal2'],
  ])('is given at Kratos by a navigation, with the whole way back: %s, %s', (reason, loginQuery) => {
    const { status, headers, body } = ask('page', { reason, loginQuery }, page);
    expect([status, headers['location'], body]).toEqual([302, `${flow}?${loginQuery}&${back}`, '']);
    expect(headers['cache-control']).toBe('no-store');
    const { headers: ours } = ask('page', { reason, loginQuery }, page, below);
    expect(ours['location']).toBe(`https://app.example:8443/.ory/self-service/login/browser?${loginQuery}&${back}`);
  });

  test('is given on the way back to the host that the rule names, and to no other', () => {
    const to = (host: string, rule: string) =>
      new URL(ask(rule, {}, { ...page, host }).headers['location'] ?? '').searchParams.get('return_to');
    expect(to('ADMIN.example.:80', 'own-host')).toBe('https://admin.example:8443/x?a=1&b=%2F');
    expect(to('evil.example', 'page')).toBe('https://app.example:8443/x?a=1&b=%2F');
  });

  test.each<[string, string, Partial<CheckRequest>]>([
    ['a program', 'page', {}],
    ['a fetch', 'page', { ...page, secFetchMode: 'cors', secFetchDest: 'empty' }],
    ['a POST', 'page', { ...page, method: 'POST' }],
    ['a navigation on a rule that denies', 'api', page],
  ])('is named to %s in the 403, without a way back', (_, rule, given) => {
    const { status, headers, body } = ask(rule, { reason: 'session_too_old', loginQuery: 'refresh=true' }, given);
    expect([status, headers['location'], headers['set-cookie']]).toEqual([403, undefined, undefined]);
    expect(JSON.parse(body)).toEqual({
      type: 'urn:ory-envoy:reason:session_too_old',
      title: 'A recent login is required',
      status: 403,
      reason: 'session_too_old',
      request_id: 'r-1',
      redirect_browser_to: `${flow}?refresh=true`,
    });
  });

  test('is named in Kratos’s own words where it said no itself, below edge.ory_path where that is set', () => {
    const remedyUrl = 'https://auth.example/self-service/login/browser?aal=aal2&via=x#y';
    const named = (of: typeof plain) => JSON.parse(ask('api', { remedyUrl }, {}, of).body).redirect_browser_to;
    expect(named(plain)).toBe('https://auth.example/self-service/login/browser?aal=aal2&via=x');
    expect(named(below)).toBe('https://app.example:8443/.ory/self-service/login/browser?aal=aal2&via=x');
  });

  test('leads back by our own return_to alone, whatever Kratos wrote: of two it takes the first', () => {
    const remedyUrl = 'https://ory.example/2fa?return_to=https%3A%2F%2Fevil.example&aal=aal2&return_to=x';
    expect(ask('page', { remedyUrl }, page).headers['location']).toBe(`https://ory.example/2fa?aal=aal2&${back}`);
    expect(JSON.parse(ask('api', { remedyUrl }).body).redirect_browser_to).toBe('https://ory.example/2fa?aal=aal2');
  });

  test('can be read by the pages that the rule’s cors names', () => {
    const { headers, body } = ask('api', {}, { origin: 'https://spa.example' });
    expect(headers['access-control-allow-origin']).toBe('https://spa.example');
    expect(JSON.parse(body).redirect_browser_to).toBe(`${flow}?aal=aal2`);
  });

  test('is named for no other denial', () => {
    for (const reason of Object.keys(DENIALS) as DenyReason[])
      expect(JSON.parse(ask('api', { reason, loginQuery: undefined }).body)).not.toHaveProperty('redirect_browser_to');
  });

  test('whatever a client sends, the address is the configuration’s', () => {
    fc.assert(
      fc.property(
        fc.record({
          host: fc.string({ unit: 'binary' }),
          path: fc.string({ unit: 'binary' }).map((text) => `/${text}`),
          query: fc.string({ unit: 'binary' }).map((text) => `?${text}`),
          origin: fc.string({ unit: 'binary' }),
          navigates: fc.boolean(),
          rule: fc.constantFrom('page', 'own-host', 'api'),
        }),
        ({ navigates, rule, ...given }) => {
          const { headers, body } = ask(rule, {}, navigates ? { ...given, accept: 'text/html' } : given);
          if (headers['location'] === undefined) {
            expect(JSON.parse(body).redirect_browser_to).toBe(`${flow}?aal=aal2`);
            return;
          }
          const url = new URL(headers['location']);
          expect([`${url.origin}${url.pathname}`, [...url.searchParams.keys()]]).toEqual([flow, ['aal', 'return_to']]);
          const returnTo = url.searchParams.get('return_to') ?? '';
          const ours = rule === 'own-host' ? /^https:\/\/[a-z0-9_.[\]:-]+:8443\// : /^https:\/\/app\.example:8443\//;
          expect(returnTo).toMatch(ours);
        },
      ),
    );
  });
});

describe('a login that leads back without a session', () => {
  /** The same navigation, with whatever cookie the answer before has set. */
  function third(reason: DenyReason, given: Partial<CheckRequest> = {}) {
    let denial = answer(reason, 'page', { path: '/x', accept: 'text/html', ...given });
    for (let i = 0; i < 2; i++) {
      const cookie = [(denial.headers['set-cookie'] ?? '').split(';', 1)[0] ?? ''];
      denial = answer(reason, 'page', { path: '/x', accept: 'text/html', ...given, cookie });
    }
    return denial;
  }

  test.each<[DenyReason, string]>([
    ['credential_missing', 'is not sent to <code>app.example</code>'],
    ['session_invalid', 'Kratos does not know it'],
  ])('is explained the third time (%s), allowed_return_urls first of all', (reason, cause) => {
    const { status, headers, body, loginLoop } = third(reason);
    expect([status, loginLoop, headers['content-type']]).toEqual([401, true, 'text/html; charset=utf-8']);
    const [first = '', ...others] = [...body.matchAll(/<li>(.*?)<\/li>/g)].map(([, text = '']) => text);
    expect(first).toContain('allowed_return_urls');
    expect(first).toContain('https://app.example');
    expect(others.join()).toContain(cause);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['cache-control']).toBe('no-store');
  });

  test('is explained on a page in which no address is more than an address', () => {
    const own = parseConfig(
      'ory: { url: "https://o", login_url: "https://o/login" }\nedge: { upstream: "http://u:1", public_url: "https://app.example" }\nrules: [{ name: page, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }]\n',
      'f.yaml',
      { env: {} },
    );
    let cookie: string[] = [];
    const visit = () => {
      const given = request({ path: '/x', query: "?'", accept: 'text/html', cookie });
      const denial = denialOf(deny('credential_missing', own.rules[0]), given, own, 0);
      cookie = [(Object.fromEntries(denial.headers)['set-cookie'] ?? '').split(';', 1)[0] ?? ''];
      return denial.body;
    };
    expect([visit(), visit(), visit()].at(-1)).toContain(
      'href="https://o/login?return_to=https%3A%2F%2Fapp.example%2Fx%3F&#39;"',
    );
  });

  /** On a rule with both requirements. */
  function thirdOf(reason: DenyReason, loginQuery: LoginQuery) {
    const own = parseConfig(
      `ory: { url: "https://ory.example" }
edge: { upstream: "http://u:1", public_url: "https://app.example" }
rules: [{ name: vault, match: { path: "/**" }, require: { session: { aal: aal2, max_age: 2s } }, unauthenticated: redirect }]
`,
      'f.yaml',
      { env: {} },
    );
    let cookie: string[] = [];
    const visit = (verdict: Deny) => {
      const denial = denialOf(verdict, request({ path: '/x', accept: 'text/html', cookie }), own, 0);
      cookie = [(Object.fromEntries(denial.headers)['set-cookie'] ?? '').split(';', 1)[0] ?? ''];
      return denial;
    };
    const [rule] = own.rules;
    // The login before it is another way, and none of this circle.
    visit(deny('credential_missing', rule));
    const verdict = deny(reason, rule, { loginQuery });
    return [visit(verdict), visit(verdict), visit(verdict)];
  }

  test('but with too little is told what: the second factor, and where one is set up', () => {
    const [first, second, third] = thirdOf('aal_insufficient', 'aal=aal2');
    expect([first?.status, second?.status, third?.status, third?.loginLoop]).toEqual([302, 302, 403, true]);
    const body = third?.body ?? '';
    expect(body).toContain('<h1>This page wants a second factor</h1>');
    expect(body).not.toContain('without a session');
    expect(body).toContain('href="https://ory.example/self-service/settings/browser"');
    expect(body).toContain('browser?aal=aal2&#38;return_to=https%3A%2F%2Fapp.example%2Fx"');
    const causes = [...body.matchAll(/<li>(.*?)<\/li>/g)].map(([, text]) => text);
    expect(causes[0]).toContain('no second factor');
    expect(causes.join()).toContain('allowed_return_urls');
  });

  test('but is too old is told so, with the rule’s own bound and the clocks', () => {
    const [first, second, third] = thirdOf('session_too_old', 'refresh=true&aal=aal2');
    expect([first?.status, second?.status, third?.status, third?.loginLoop]).toEqual([302, 302, 403, true]);
    const body = third?.body ?? '';
    expect(body).toContain('<h1>This page wants a more recent login</h1>');
    expect(body).toContain('older than this page takes (2s). You are still logged in.');
    expect(body).toContain('browser?refresh=true&#38;aal=aal2&#38;return_to=');
    const causes = [...body.matchAll(/<li>(.*?)<\/li>/g)].map(([, text]) => text);
    expect(causes[0]).toContain('<code>max_age</code> (2s) of rule <code>vault</code>');
    expect(causes[1]).toContain('clocks');
  });

  test('is explained on a page that a client writes nothing into', () => {
    const { body } = third('credential_missing', { query: '?"><script>alert(1)</script>' });
    expect(body).not.toContain('<script');
    expect(body).toContain('href="https://ory.example/self-service/login/browser?return_to=');
  });
});

describe('a denial on a rule with cors', () => {
  test('can be read by a page of a named origin', () => {
    expect(answer('session_invalid', 'pages-of-others', { origin: 'https://spa.example' }).headers).toMatchObject({
      'access-control-allow-origin': 'https://spa.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'retry-after, www-authenticate',
      vary: 'Origin',
    });
    expect(answer('ory_unreachable', 'pages-of-others', { origin: 'https://spa.example' }).headers).toHaveProperty(
      'access-control-allow-origin',
    );
  });

  test.each([undefined, 'https://evil.example', 'null', 'https://spa.example.evil.example', 'https://SPA.example'])(
    'cannot be read by %s',
    (origin) => {
      const { headers } = answer('session_invalid', 'pages-of-others', { origin });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(headers['vary']).toBe('Origin');
    },
  );

  test('and on no other rule', () => {
    const { headers } = answer('session_invalid', 'session', { origin: 'https://spa.example' });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers).not.toHaveProperty('vary');
  });
});
