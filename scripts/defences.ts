// Takes each defence away, one at a time, in a copy of the tree, and demands that its test fails there and passes without
// the change. `--only ID` for one class, `--from N` and `--count N` for a part of the table. Starts Envoys; takes minutes.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
const passesAlone = new Map<string, Outcome>();
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
  const before = readFileSync(file, 'utf8');
  if (before.split(removal.from).length !== 2) return `ERROR: ${removal.file} does not have the place once`;
  const key = `${removal.test}: ${removal.name}`;
  const untouched = passesAlone.get(key) ?? run(removal);
  passesAlone.set(key, untouched);
  if (untouched !== 'passes') return `ERROR: with the defence the test ${untouched}`;
  writeFileSync(
    file,
    before.replace(removal.from, () => removal.to),
  );
  try {
    const without = run(removal);
    return without === 'fails' ? 'ok: without it the test fails' : `ERROR: without it the test ${without}`;
  } finally {
    writeFileSync(file, before);
  }
}

/** Runs the tests of that name; `did not run` where none failed and none passed, as with code that cannot be loaded. */
function run({ test, name }: Removal): Outcome {
  const path = [`conformance/edge/attacks/${test}`, `conformance/edge/${test}`, test].find((one) => existsSync(one));
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const pattern = name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...['--project', 'edge', path ?? test, '-t', pattern, '--bail', '1'],
      ...['--reporter=json', `--outputFile=${report}`],
    ],
    { cwd: copy, stdio: 'ignore', timeout: LIMIT_MS },
  );
  if (!existsSync(report)) return 'did not run';
  const { numPassedTests: passed = 0, numFailedTests: failed = 0 } = JSON.parse(readFileSync(report, 'utf8')) as Record<
    string,
    number
  >;
  return failed > 0 ? 'fails' : passed > 0 ? 'passes' : 'did not run';
}
