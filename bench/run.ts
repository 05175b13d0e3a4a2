// `npm run bench`: everything that docs/performance.md says, measured anew. `--quick` measures little, in short slices,
// and writes nowhere but to standard output; `--only PARTS` (with commas) measures some; `--pages` writes the pages from
// the results that there are. Starts programs, writes bench/results and the docs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAll } from './measure.ts';
import { writePages } from './report/page.ts';
import { PARTS, type Part, type Results, writeResult } from './report/results.ts';
import { sectionsOf } from './report/sections.ts';
import { FULL, QUICK } from './settings.ts';

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, only: { type: 'string' }, pages: { type: 'boolean' } },
});
const only = values.only?.split(',') ?? PARTS;
const parts = only.map((name) => {
  const part = PARTS.find((one) => one === name);
  if (!part) throw new Error(`${name} is no part; there are ${PARTS.join(', ')}`);
  return part;
});

if (values.pages) writePages();
else await bench(parts, values.quick === true);

async function bench(parts: readonly Part[], quick: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ory-envoy-bench-'));
  const results: { [P in Part]?: Results[P] } = {};
  try {
    // As it is installed: the command without types to be taken out at every start.
    execFileSync(process.execPath, ['scripts/build.ts'], { stdio: ['ignore', 'inherit', 'inherit'] });
    await measureAll(parts, quick ? QUICK : FULL, folder, (part, result) => {
      Object.assign(results, { [part]: result });
      if (!quick) writeResult(part, result);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (!quick) writePages();
  const sections = sectionsOf(results);
  for (const [name, section] of sections) if (name !== 'targets') process.stdout.write(`\n${name}\n\n${section}\n`);
  process.stdout.write(`\n${sections.get('targets') ?? ''}\n`);
}
