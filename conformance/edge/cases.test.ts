// `ory-envoy test`: one file of cases, judged by the engine and by a running edge, with the same result.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type UpFile, type UpRig, upFile, upRig } from './rig/up-process.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const CASES = fileURLToPath(new URL('./cases/cases.yaml', import.meta.url));
const POLICY = parse(readFileSync(new URL('./cases/policy.yaml', import.meta.url), 'utf8')) as Record<string, unknown>;

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Report {
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly status: number;
    readonly problem?: string;
    readonly differences: readonly unknown[];
    readonly not_compared: readonly string[];
    readonly identity_headers?: Readonly<Record<string, string>>;
  }[];
}

let rig: UpRig;
let file: UpFile;

beforeAll(async () => {
  rig = upRig();
  file = await upFile(rig.dir);
  file.write({ ...POLICY, edge: { upstream: 'http://127.0.0.1:4456' } });
  await rig.up(['-c', file.file]).isUp();
});
afterAll(() => rig?.close());

function run(...args: string[]): Promise<Run> {
  return runWith({}, '-c', file.file, ...args);
}

function runWith(more: Readonly<Record<string, string>>, ...args: string[]): Promise<Run> {
  const env = {
    ...process.env,
    ...more,
    EDGE_URL: file.url,
    EDGE: encodeURIComponent(file.url),
    LOGIN: 'http://127.0.0.1:4455/self-service/login/browser',
  };
  const child = spawn(process.execPath, [MAIN, 'test', ...args], { env, timeout: 50_000 });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

/** A file of one case, in flow style. */
function oneCase(text: string): string {
  const path = join(rig.dir, 'one.yaml');
  writeFileSync(path, `cases:\n  - ${text}\n`);
  return path;
}

const failedOnes = (report: Report) => report.cases.filter(({ ok }) => !ok);

describe('one file of cases', () => {
  it('is as expected by the engine and by the edge, and the application gets the same identity', async () => {
    const engine = await run(CASES, '--json');
    const edge = await run(CASES, '--json', '--edge', file.url);
    expect([engine.err, edge.err]).toEqual(['', '']);
    const [inside, outside] = [engine, edge].map(({ out }) => JSON.parse(out) as Report);
    expect(failedOnes(inside as Report)).toEqual([]);
    expect(failedOnes(outside as Report)).toEqual([]);
    expect([engine.code, edge.code, inside?.passed]).toEqual([0, 0, outside?.passed]);
    const seen = (report?: Report) =>
      report?.cases.map(({ name, status, identity_headers }) => [name, status, identity_headers]);
    const plain = outside?.cases.map((one) => ('identity_headers' in one ? one.name : ''));
    expect(seen(outside)?.filter(([name]) => plain?.includes(String(name)))).toEqual(
      seen(inside)?.filter(([name]) => plain?.includes(String(name))),
    );
    expect(plain?.filter((name) => name !== '').length).toBeGreaterThan(10);
  });

  it('says what could not be seen from outside', async () => {
    const { out } = await run(CASES, '--edge', file.url);
    expect(out).toMatch(/not compared, because it cannot be seen from outside: .*reason \d+ times, rule \d+ times/);
  });

  it.each([[[]], [['--edge']]])('one wrong expectation ends with 1 %s', async (args) => {
    const cases = oneCase('{ name: wrong, request: { url: /app/x }, expect: { status: 200, rule: app } }');
    const { code, out } = await run(cases, ...args.flatMap((one) => [one, file.url]));
    expect(code).toBe(1);
    expect(out).toMatch(/FAIL {2}wrong/);
    expect(out).toMatch(/status +expected 200\n +found +401/);
    expect(out).toContain('1 case, 1 not as expected');
  });
});

describe('--edge', () => {
  it('takes no other server for an edge', async () => {
    const { code, err, out } = await run(CASES, '--edge', 'http://127.0.0.1:4456');
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/what answers at http:\/\/127\.0\.0\.1:4456 is no edge of ory-envoy/);
  });

  it('says that nothing answers', async () => {
    const { code, err } = await run(CASES, '--edge', 'http://127.0.0.1:9');
    expect(code).toBe(2);
    expect(err).toMatch(/the edge at http:\/\/127\.0\.0\.1:9 does not answer \(ECONNREFUSED\)/);
  });

  it('takes credentials from the environment, and makes none at an Ory that is not for development', async () => {
    const other = join(rig.dir, 'other.yaml');
    writeFileSync(other, 'ory: { url: "https://ory.invalid" }\nedge: { upstream: "http://127.0.0.1:9" }\n');
    const made = await fetch('http://127.0.0.1:4455/admin/development/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 's', active: true, identity: { id: 'ada', state: 'active', traits: {} } }),
    });
    const { session_token: SESSION = '' } = (await made.json()) as Record<string, string>;
    const cases = join(rig.dir, 'other.cases.yaml');
    writeFileSync(
      cases,
      `cases:
  - name: real
    request: { url: /app/x, headers: { X-Session-Token: "\${SESSION}" } }
    expect: { status: 200, headers: { X-User-Id: ada } }
  - name: made
    request: { url: /app/x }
    credential: { session: {} }
    expect: { status: 200 }
`,
    );
    const { code, out } = await runWith({ SESSION }, '-c', other, cases, '--edge', file.url);
    expect(code).toBe(1);
    expect(out).toMatch(/ok {4}real/);
    expect(out).toMatch(
      /FAIL {2}made +not judged\n.*\n.*\n +problem +https:\/\/ory\.invalid is not the development Ory of ory-envoy up.*give request\.headers with X-Session-Token: "\$\{SESSION\}"/,
    );
    expect(out).not.toContain(SESSION);
  });

  it('verifies the certificate of the edge’s address, and sends the host of the case', async () => {
    const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    });
    const hosts: (string | undefined)[] = [];
    const server = createServer({ key: pem.private, cert: pem.cert }, (request, response) => {
      hosts.push(request.headers.host);
      const ambiguous = request.url === '/%2f';
      const type = 'urn:ory-envoy:reason:path_ambiguous';
      response.writeHead(ambiguous ? 400 : 200, { 'content-type': 'application/problem+json' });
      response.end(ambiguous ? JSON.stringify({ type, status: 400 }) : '');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const trusted = join(rig.dir, 'ca.pem');
    writeFileSync(trusted, pem.cert);
    const cases = oneCase('{ name: a, request: { url: "https://api.acme.com/x" }, expect: { status: 200 } }');
    const refused = await run(cases, '--edge', url);
    const taken = await runWith({ NODE_EXTRA_CA_CERTS: trusted }, '-c', file.file, cases, '--edge', url);
    const byNumber = url.replace('localhost', '127.0.0.1');
    const misnamed = await runWith({ NODE_EXTRA_CA_CERTS: trusted }, '-c', file.file, cases, '--edge', byNumber);
    server.close();
    expect([misnamed.code, misnamed.err]).toEqual([2, expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID')]);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('SELF_SIGNED_CERT')]);
    expect([taken.code, taken.err]).toEqual([0, '']);
    expect(hosts).toEqual([new URL(url).host, 'api.acme.com']);
  });
});
