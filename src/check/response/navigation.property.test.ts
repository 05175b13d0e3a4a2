// Where a person is sent back to: whatever the request was, a place on an origin of the edge, and the one that was asked for.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { canonicalPath } from '../../config/path.ts';
import { saidSeed } from '../../testing/seed.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { normalise } from '../request/normalise.ts';
import { createFindRule } from '../rule/find-rule.ts';
import { request } from '../testing/request.ts';
import { deny } from '../verdict.ts';
import { detourOf } from './navigation.ts';

const LOGIN = 'https://login.example/self-service/login/browser';
const PUBLIC_URLS = ['https://edge.example', 'http://127.0.0.1:8080', 'https://edge.example:8443', 'http://[::1]:3000'];
const policies = new Map(
  PUBLIC_URLS.map((publicUrl) => {
    const config = parseConfig(
      `ory: { kratos: { public_url: "https://login.example" } }
edge: { upstream: "http://127.0.0.1:3000", public_url: "${publicUrl}" }
rules:
  - { name: one, match: { host: shop.example, path: /** }, require: { session: {} }, unauthenticated: redirect }
  - { name: many, match: { host: "*.acme.example", path: /** }, require: { session: {} }, unauthenticated: redirect }
  - { name: api, match: { path: /api/** }, require: { session: {} } }
  - { name: rest, match: { path: /** }, require: { session: {} }, unauthenticated: redirect }
`,
      'f.yaml',
      { env: {} },
    );
    return [publicUrl, { config, findRule: createFindRule(config.rules) }];
  }),
);

/** The edge's own, or the same with the host of a rule for hosts. */
function origins(publicUrl: string, host: string | undefined): string[] {
  const name = (host ?? '').toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  if (name !== 'shop.example' && !/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.acme\.example$/.test(name)) return [publicUrl];
  const { protocol, port } = new URL(publicUrl);
  return [`${protocol}//${name}${port && `:${port}`}`];
}

/** As WHATWG URL writes it (special-query percent-encode set). */
function search(query: string): string {
  const written = query.replace(
    /[^\x21-\x7e]|["#<>']/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return written === '?' ? '' : written;
}

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      'a',
      'api',
      '/',
      '//',
      '\\',
      '@',
      ':',
      '.',
      '..',
      '%2f',
      '%0a',
      '\t',
      '\n',
      '#',
      '?',
      '&',
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('evil.example', 'return_to=', 'https://', "'", '"', '<', ' ', '|', '{', 'é'),
  },
  { weight: 1, arbitrary: byte },
);
const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const segment = fc.constantFrom(
  'a',
  'api',
  '@',
  ':',
  '...',
  "'",
  '"<>',
  ' ',
  '|{}',
  'return_to=',
  '%c3%A9',
  '%40',
  '\xe9',
);
const path = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom('', '/'))
      .map(([segments, end]) => `${segments.map((one) => `/${one}`).join('')}${end}` || '/'),
  },
  { weight: 2, arbitrary: text.map((one) => `/${one.replaceAll('?', '')}`) },
  { weight: 1, arbitrary: text },
);
const host = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('edge.example', 'shop.example', 'SHOP.example:99', 'b.a.Acme.example.', 'evil.example'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'evil.example/.acme.example',
      'evil.example#.acme.example',
      'evil@a.acme.example',
      'acme.example',
      '.acme.example',
      'evil.example\\.acme.example',
      'a.acme.example:80@evil',
      'a.acme.example:x',
      '[::1]',
    ),
  },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: text.map((one) => `${one}.acme.example`) },
);
/** The first one most of the time. */
function often<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) });
}

const any: fc.Arbitrary<CheckRequest> = fc
  .record({
    method: often('GET', 'POST', 'HEAD', 'get'),
    host: fc.option(host, { nil: undefined, freq: 20 }),
    path,
    query: fc.oneof(
      fc.constant(''),
      text.map((one) => `?${one}`),
    ),
    accept: often('text/html', 'TEXT/HTML;q=1', '*/*', undefined),
    requestedWith: often(undefined, 'XMLHttpRequest'),
    secFetchMode: often(undefined, 'navigate', 'cors'),
    secFetchDest: often('document', undefined, 'iframe', 'empty'),
    origin: fc.constantFrom(undefined, 'https://evil.example'),
  })
  .map((given) => request(given));

test('a detour leads back to the request’s own place on the edge, and nowhere else', () => {
  let detours = 0;
  let ofHosts = 0;
  fc.assert(
    fc.property(fc.constantFrom(...PUBLIC_URLS), any, fc.boolean(), (publicUrl, one, second) => {
      const policy = policies.get(publicUrl);
      if (!policy) throw new Error(publicUrl);
      const target = normalise(one);
      const rule = target && policy.findRule(target);
      const remedyUrl = 'https://login.example/self-service/login/browser?aal=aal2';
      const denial = second
        ? deny('aal_insufficient', rule, { remedyUrl })
        : deny(rule ? 'credential_missing' : 'path_ambiguous', rule);
      const detour = detourOf(denial, one, policy.config);
      const wants = one.method === 'GET' && /text\/html/i.test(one.accept ?? '') && one.requestedWith === undefined;
      const navigates = one.secFetchMode !== 'cors' && one.secFetchDest !== 'empty';
      expect(detour !== undefined).toBe(rule !== undefined && rule.name !== 'api' && wants && navigates);
      if (!detour) return;
      detours++;
      const sent = new URL(detour);
      expect(`${sent.origin}${sent.pathname}`).toBe(LOGIN);
      const [returnTo = '', ...others] = sent.searchParams.getAll('return_to');
      expect(others).toEqual([]);
      expect(sent.hash).toBe('');
      expect(detour).toMatch(/^[\x21-\x7e]+$/);
      const back = new URL(returnTo);
      expect(origins(publicUrl, one.host)).toContain(back.origin);
      if (back.origin !== publicUrl) ofHosts++;
      expect([back.username, back.password, back.hash]).toEqual(['', '', '']);
      expect(canonicalPath(back.pathname)).toBe(canonicalPath(one.path));
      expect(back.search).toBe(search(one.query));
    }),
    { numRuns: 20_000 },
  );
  expect(detours, saidSeed()).toBeGreaterThan(1_000);
  expect(ofHosts, saidSeed()).toBeGreaterThan(300);
});
