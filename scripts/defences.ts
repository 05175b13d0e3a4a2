// Takes each defence away, one at a time, in a copy of the tree, and demands that its test fails there and passes without
// the change. `--only ID` for one class, `--from N` and `--count N` for a part of the table. Starts Envoys; takes minutes.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REMOVALS, type Removal } from '../conformance/edge/attacks/defences.ts';

const LIMIT_MS = 300_000;
const COPIED = ['src', 'conformance', 'schema', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

type Outcome = 'fails' | 'passes' | 'did not run';

const { values } = parseArgs({
  options: { only: { type: 'string' }, from: { type: 'string' }, count: { type: 'string' } },
});
const first = Number(values.from ?? 0);
const chosen = REMOVALS.filter(({ id }) => values.only === undefined || String(id) === values.only).slice(
  first,
  values.count === undefined ? undefined : first + Number(values.count),
);
if (chosen.length === 0) throw new Error('no defence is chosen');

const copy = mkdtempSync(join(tmpdir(), 'ory-envoy-defences-'));
/** What each test of a file says with every defence in its place. */
const untouched = new Map<string, readonly Result[]>();
let wrong = 0;
try {
  for (const path of COPIED) cpSync(path, join(copy, path), { recursive: true });
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
  for (const removal of chosen) {
    const result = judge(removal);
    if (!result.startsWith('ok')) wrong++;
    process.stdout.write(`| ${removal.id} | ${removal.what} | ${removal.test}: ${removal.name} | ${result} |\n`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.stdout.write(`${chosen.length - wrong} of ${chosen.length} defences are needed by their tests\n`);
process.exitCode = wrong > 0 ? 1 : 0;

function judge(removal: Removal): string {
  const file = join(copy, removal.file);
  const source = readFileSync(file, 'utf8');
  if (source.split(removal.from).length !== 2) return `ERROR: ${removal.file} does not have the place once`;
  const before = outcomeOf(resultsWithDefences(removal.test), removal.name);
  if (before !== 'passes') return `ERROR: with the defence the test ${before}`;
  writeFileSync(
    file,
    source.replace(removal.from, () => removal.to),
  );
  try {
    const without = outcomeOf(run(removal.test, removal.name), removal.name);
    return without === 'fails' ? 'ok: without it the test fails' : `ERROR: without it the test ${without}`;
  } finally {
    writeFileSync(file, source);
  }
}

interface Result {
  readonly fullName: string;
  readonly status: string;
}

function resultsWithDefences(test: string): readonly Result[] {
  const results = untouched.get(test) ?? run(test);
  untouched.set(test, results);
  return results;
}

/** `did not run` where none of that name failed and none passed, as with code that cannot be loaded. */
function outcomeOf(results: readonly Result[], name: string): Outcome {
  const statuses = results.filter(({ fullName }) => fullName.includes(name)).map(({ status }) => status);
  if (statuses.includes('failed')) return 'fails';
  return statuses.includes('passed') ? 'passes' : 'did not run';
}

/** Runs the tests of a file; with `name` those alone. */
function run(test: string, name?: string): readonly Result[] {
  const path = [`conformance/edge/attacks/${test}`, `conformance/edge/${test}`, test].find((one) => existsSync(one));
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const alone = name === undefined ? [] : ['-t', name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')];
  const project = path?.startsWith('src/') ? 'unit' : 'edge';
  const args = ['run', '--project', project, path ?? test, ...alone, '--reporter=json', `--outputFile=${report}`];
  spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], {
    cwd: copy,
    stdio: 'ignore',
    timeout: LIMIT_MS,
  });
  endLeftOver();
  if (!existsSync(report)) return [];
  const json = JSON.parse(readFileSync(report, 'utf8')) as { testResults: { assertionResults: Result[] }[] };
  return json.testResults.flatMap(({ assertionResults }) => assertionResults);
}

/** A suite whose preparation fails ends without its authorizers: those that run from the copy. */
function endLeftOver(): void {
  if (!existsSync('/proc/self')) return;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${copy}/src/`)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}
