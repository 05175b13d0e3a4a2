// What `validate` says of tokens: whether opaque ones are taken, and where they are asked about.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { validate } from './validate.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-validate-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

function said(ory: string, json = false): string {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  const file = join(dir, 'ory-envoy.yaml');
  const rules = 'rules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]';
  writeFileSync(
    file,
    `ory: { ${ory} }\ntokens: { audiences: [a] }\nedge: { upstream: "http://127.0.0.1:1" }\n${rules}\n`,
  );
  validate(file, json);
  return text;
}

const OWN = 'hydra: { public_url: "http://h:4444", issuer: "http://h/"';

describe('opaque tokens', () => {
  test.each([
    [`${OWN} }`, /opaque tokens +are refused \(token_kind_wrong\); to take them give ory\.hydra\.admin_url/],
    [
      `${OWN}, admin_url: "http://h:4445" }`,
      /opaque tokens +are asked about at http:\/\/h:4445\/admin\/oauth2\/introspect\n/,
    ],
    [
      'url: "https://a.projects.oryapis.com", api_key: ory_pat_canary',
      /opaque tokens +are asked about at https:\/\/a\.projects\.oryapis\.com\/admin\/oauth2\/introspect, with ory\.api_key\n/,
    ],
  ])('with %s', (ory, words) => {
    expect(said(ory)).toMatch(words);
    expect(said(ory) + said(ory, true)).not.toContain('canary');
  });

  test('for programs', () => {
    const tokens = { issuer: 'http://h/', jwks_url: 'http://h:4444/.well-known/jwks.json' };
    expect(JSON.parse(said(`${OWN} }`, true)).tokens).toEqual({ ...tokens, opaque: null });
    expect(JSON.parse(said(`${OWN}, admin_url: "http://x" }`, true)).tokens).toEqual({
      ...tokens,
      opaque: 'http://x/admin/oauth2/introspect',
    });
  });
});
