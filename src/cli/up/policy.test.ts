import { afterEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from '../../config/fault.ts';
import { DEVELOPMENT_POLICY } from './development.ts';
import { needsRestart, readPolicy } from './policy.ts';
import type { Servers } from './servers.ts';

const HYDRA = { url: 'https://hydra.test', issuer: 'https://issuer.test/' };

describe('a policy', () => {
  test('has another id for another text, and the same for the same', () => {
    const [one, same, other] = [DEVELOPMENT_POLICY, DEVELOPMENT_POLICY, `${DEVELOPMENT_POLICY}# \n`].map((text) =>
      readPolicy(text, 'f', {}),
    );
    expect(one?.id).toBe(same?.id);
    expect(one?.id).not.toBe(other?.id);
  });

  test('whose servers are replaced still has its faults where they are written', () => {
    const text = DEVELOPMENT_POLICY.replace('allow: anyone', 'alow: anyone');
    const line = text.split('\n').findIndex((one) => one.includes('alow')) + 1;
    const read = () => readPolicy(text, 'f.yaml', { kratos: 'https://kratos.test', hydra: HYDRA });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`f.yaml:${line}:5: rules[0].alow`);
  });

  test('asks the servers that are given in place of its own, and only those', () => {
    const both = readPolicy(DEVELOPMENT_POLICY, 'f', { kratos: 'https://kratos.test', hydra: HYDRA }).config;
    expect([both.sessions?.kratosUrl, both.tokens?.issuer, both.tokens?.jwksUrl, both.loginUrl]).toEqual([
      'https://kratos.test',
      'https://issuer.test/',
      'https://hydra.test/.well-known/jwks.json',
      'https://kratos.test/self-service/login/browser',
    ]);
    expect(both.tokens?.introspection).toBeUndefined();
    const kratosAlone = readPolicy(DEVELOPMENT_POLICY, 'f', { kratos: 'https://kratos.test' }).config;
    expect([kratosAlone.sessions?.kratosUrl, kratosAlone.tokens?.issuer]).toEqual([
      'https://kratos.test',
      'http://127.0.0.1:4455',
    ]);
  });
});

describe('servers in place of those of a file', () => {
  const file = (ory: object) =>
    JSON.stringify({
      ory,
      tokens: { audiences: ['a'] },
      rules: [
        { name: 'api', match: { path: '/api' }, require: { token: {} } },
        { name: 'web', match: { path: '/**' }, require: { session: {} }, unauthenticated: 'redirect' },
      ],
      edge: { upstream: 'http://127.0.0.1:1' },
    });
  const oryOf = (ory: object, servers: Servers) => parse(readPolicy(file(ory), 'f', servers).text).ory;
  afterEach(() => vi.unstubAllEnvs());

  test('take a login address on the server before with them, and leave another', () => {
    const on = (loginUrl: string) =>
      oryOf({ url: 'https://a.test', login_url: loginUrl }, { kratos: 'https://k.test' });
    expect(on('https://a.test/login')).toEqual({ url: 'https://a.test', kratos: { public_url: 'https://k.test' } });
    expect(on('https://a.test.evil/login')).toMatchObject({ login_url: 'https://a.test.evil/login' });
    expect(on('https://ui.test/login')).toMatchObject({ login_url: 'https://ui.test/login' });
  });

  test('take the tokens with them: no other Hydra and no project is asked about them', () => {
    const ory = { url: 'https://a.test', api_key: 'k', hydra: { admin_url: 'https://admin.test' } };
    const introspection = (servers: Servers) => readPolicy(file(ory), 'f', servers).config.tokens?.introspection;
    expect(introspection({})?.url).toBe('https://admin.test/admin/oauth2/introspect');
    expect(introspection({ hydra: HYDRA })).toBeUndefined();
    expect(introspection({ hydra: { ...HYDRA, adminUrl: 'https://own.test' } })).toEqual({
      url: 'https://own.test/admin/oauth2/introspect',
      apiKey: undefined,
    });
  });

  test('take it with them also where both are written as variables', () => {
    vi.stubEnv('KRATOS', 'https://a.test');
    const ory = { url: 'https://b.test', kratos: { public_url: '${KRATOS}' }, login_url: '${KRATOS}/login' };
    expect(oryOf(ory, { kratos: 'https://k.test' })).toEqual({
      url: 'https://b.test',
      kratos: { public_url: 'https://k.test' },
    });
    vi.stubEnv('LOGIN', 'https://ui.test/login');
    expect(oryOf({ ...ory, login_url: '${LOGIN}' }, { kratos: 'https://k.test' })).toMatchObject({
      login_url: '${LOGIN}',
    });
  });

  test('take a key address and an admin address with them', () => {
    const hydra = { public_url: 'https://a.test', jwks_url: 'https://a.test/k', admin_url: 'https://b.test' };
    expect(oryOf({ url: 'https://c.test', hydra }, { hydra: HYDRA }).hydra).toEqual({
      public_url: 'https://hydra.test',
      issuer: 'https://issuer.test/',
    });
  });

  test('leave the text alone where none is given', () => {
    expect(readPolicy(DEVELOPMENT_POLICY, 'f', {}).text).toBe(DEVELOPMENT_POLICY);
  });
});

test.each([
  ['edge: { listen: "127.0.0.1:81" }', undefined],
  ['edge: { admin: "127.0.0.1:82" }', 'edge.admin from 127.0.0.1:9901 to 127.0.0.1:82'],
  ['edge: { authorizer: "http://a.test" }', 'edge.authorizer from http://127.0.0.1:9191/ to http://a.test/'],
  ['serve: { http: "127.0.0.1:83" }', 'serve.http from 127.0.0.1:9191 to 127.0.0.1:83'],
  ['serve: { grpc: "127.0.0.1:84" }', 'serve.grpc from'],
  ['serve: { admin: "127.0.0.1:85" }', 'serve.admin from'],
])('an address that belongs to a process and changes is named: %s', (line, expected) => {
  const base = { ory: { url: 'http://127.0.0.1:1' }, edge: { upstream: 'http://127.0.0.1:2' } };
  const more = parse(line) as { edge?: object; serve?: object };
  const next = { ...base, ...more, edge: { ...base.edge, ...more.edge } };
  const [before, after] = [base, next].map((one) => readPolicy(JSON.stringify(one), 'f', {}).config);
  if (!before || !after) throw new Error('two configurations');
  const said = needsRestart(before, after);
  if (expected === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(expected);
});
