// The table of cases, on every target. The matrix that comes of it is matrix.txt.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBacking, startBacking } from './backing.ts';
import { type Entry, judged, matrixText, unshown } from './matrix.ts';
import { needsOf } from './needs.ts';
import { type Prepared, prepare, runColumn } from './run.ts';
import { COLUMNS, SHEETS } from './table.ts';

const entries: Entry[] = [];

describe.each(SHEETS)('$name', (sheet) => {
  let backing: RunningBacking;
  let prepared: Prepared;
  beforeAll(async () => {
    backing = await startBacking(sheet.policy);
    prepared = await prepare(sheet, backing);
    if (sheet.deciderAway) await backing.endAuthorizer();
  });
  afterAll(() => backing?.close());

  it.each(COLUMNS)('$name does what the policy says, or what it cannot do explains why not', async (column) => {
    const all = await runColumn(column, sheet, prepared, backing);
    const here = prepared.expected.map(({ case: one, rule }, i): Entry => {
      const found = all[i];
      if (!found) throw new Error(`no answer to "${one.name}"`);
      return {
        sheet: sheet.name,
        case: one.name,
        column: column.name,
        target: column.target,
        needs: needsOf(one, rule, prepared.config),
        anyWords: sheet.withoutAuthorizer === true || one.expect.reason === undefined,
        apart: sheet.deciderAway ? column.apart : undefined,
        found,
      };
    });
    entries.push(...here);
    const faults = here.map(judged).flatMap((one) => (one.kind === 'fault' ? [one.fault] : []));
    expect(faults).toEqual([]);
  });
});

it('what a target is said not to do is shown by a case', () => {
  expect(unshown(entries)).toEqual([]);
});

it('the matrix is the one that is written down', async () => {
  const text = matrixText(entries);
  const { ORY_ENVOY_MATRIX: file } = process.env;
  if (file !== undefined) writeFileSync(file, text);
  await expect(text).toMatchFileSnapshot('matrix.txt');
});
