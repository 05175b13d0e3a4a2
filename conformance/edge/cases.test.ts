// `ory-envoy test`: one file of cases, judged by the engine and by a running edge, with the same result.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  const env = {
    ...process.env,
    EDGE_URL: file.url,
    EDGE: encodeURIComponent(file.url),
    LOGIN: 'http://127.0.0.1:4455/self-service/login/browser',
  };
  const child = spawn(process.execPath, [MAIN, 'test', '-c', file.file, ...args], { env, timeout: 50_000 });
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
});
