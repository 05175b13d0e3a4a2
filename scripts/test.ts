// The one gate: format and lint, types, dead code, every suite, each with its counts. `--quick` leaves out the suites
// that need real servers. The last line is the sum: `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Exit code of `conformance/prepare.ts` where a tool is missing. */
const CANNOT_PREPARE = 3;

const quick = process.argv.includes('--quick');
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];

function run(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  const started = Date.now();
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 45 * 60_000,
    env: { ...process.env, ...env },
  });
  const ok = status === 0;
  process.stdout.write(
    `${ok ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1_000).toFixed(1)} s)${error ? ` ${error.message}` : ''}\n\n`,
  );
  return ok;
}

function step(name: string, command: string, args: readonly string[]): void {
  const ok = run(name, command, args);
  total[ok ? 'passed' : 'failed']++;
  if (!ok) failures.push(name);
}

function suite(name: string): void {
  const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-test-'));
  const report = join(dir, 'report.json');
  const matrix = join(dir, 'matrix.txt');
  const args = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ok = run(`suite ${name}`, 'vitest', ['run', '--project', name, ...args], { ORY_ENVOY_MATRIX: matrix });
  const counts = countsOf(report);
  if (existsSync(matrix)) process.stdout.write(`${readFileSync(matrix, 'utf8')}\n`);
  rmSync(dir, { recursive: true });
  // A suite that could not be read, or that ran nothing, has not passed.
  if (counts.passed + counts.failed === 0 || (!ok && counts.failed === 0)) counts.failed++;
  // A skip hides what was not tested; where nobody looks at it, it is a failure.
  if (process.env['CI'] && counts.skipped > 0) counts.failed += counts.skipped;
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
  if (counts.failed > 0) failures.push(`suite ${name}`);
  process.stdout.write(`suite ${name}: ${line(counts)}\n\n`);
}

function countsOf(report: string): Counts {
  try {
    const json = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    return {
      passed: json['numPassedTests'] ?? 0,
      failed: json['numFailedTests'] ?? 0,
      skipped: (json['numPendingTests'] ?? 0) + (json['numTodoTests'] ?? 0),
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

function line({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Whether the suites against real servers can run; where not, each counts as one skipped test, with the reason. */
function prepared(suites: readonly string[]): boolean {
  const { status, stdout } = spawnSync('node', ['conformance/prepare.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    timeout: 45 * 60_000,
  });
  if (status === 0) return true;
  const skipped = status === CANNOT_PREPARE;
  for (const name of suites) {
    const counts = { passed: 0, failed: skipped && !process.env['CI'] ? 0 : 1, skipped: skipped ? 1 : 0 };
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
    if (counts.failed > 0) failures.push(`suite ${name}`);
    process.stdout.write(`suite ${name}: ${line(counts)}: ${stdout.trim() || `preparing failed with ${status}`}\n`);
  }
  return false;
}

step('format, lint, import rule', 'biome', ['ci', '--error-on-warnings', '.']);
step('types', 'tsc', ['-p', '.']);
step('dead code', 'knip', []);
suite('unit');
if (!quick) {
  if (prepared(['ory', 'edge', 'equivalence', 'targets', 'browser'])) {
    suite('ory');
    suite('edge');
    suite('equivalence');
    suite('targets');
    suite('browser');
  }
  suite('package');
}
if (failures.length > 0) process.stdout.write(`Failed: ${failures.join(', ')}\n`);
process.stdout.write(`${line(total)}\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
