// The schema is Envoy's on the wire, and the generated code is the schema's.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DescMessage } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { Authorization, file_ext_authz } from '../testing/ext_authz_pb.ts';

test('the generated code is up to date: npm run proto', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-proto-'));
  try {
    const { status, stderr } = spawnSync('node', ['scripts/proto.ts', dir], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    const name = 'ext_authz_pb.ts';
    expect(readFileSync(join(dir, name), 'utf8')).toBe(
      readFileSync(new URL(`../testing/${name}`, import.meta.url), 'utf8'),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the method is the one that Envoy calls', () => {
  expect(`/${Authorization.typeName}/${Authorization.method.check.name}`).toBe(
    '/envoy.service.auth.v3.Authorization/Check',
  );
});

/** As the Go types of github.com/envoyproxy/go-control-plane/envoy v1.40.0 have them. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  CheckRequest: { attributes: 1 },
  AttributeContext: { request: 4 },
  'AttributeContext.Request': { http: 2 },
  'AttributeContext.HttpRequest': { method: 2, headers: 3, path: 4, host: 5, header_map: 13 },
  HeaderMap: { headers: 1 },
  HeaderValue: { key: 1, value: 2, raw_value: 3 },
  CheckResponse: { status: 1, denied_response: 2, ok_response: 3, dynamic_metadata: 4 },
  Status: { code: 1 },
  OkHttpResponse: { headers: 2, headers_to_remove: 5, response_headers_to_add: 6 },
  DeniedHttpResponse: { status: 1, headers: 2, body: 3 },
  HttpStatus: { code: 1 },
  HeaderValueOption: { header: 1, append_action: 3 },
  Header: { key: 1, value: 2 },
};

test('the fields have Envoy’s numbers', () => {
  const messages = (all: readonly DescMessage[]): DescMessage[] =>
    all.flatMap((message) => [message, ...messages(message.nestedMessages)]);
  const found = messages(file_ext_authz.messages).map((message) => [
    message.typeName.replace('envoy.service.auth.v3.', ''),
    Object.fromEntries(message.fields.map((field) => [field.name, field.number])),
  ]);
  expect(Object.fromEntries(found)).toEqual(NUMBERS);
});
