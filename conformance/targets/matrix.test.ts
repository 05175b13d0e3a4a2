// The table of cases, on every target.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBacking, startBacking } from './backing.ts';
import { type Prepared, prepare, runColumn } from './run.ts';
import { COLUMNS, SHEETS } from './table.ts';

describe.each(SHEETS)('$name', (sheet) => {
  let backing: RunningBacking;
  let prepared: Prepared;
  beforeAll(async () => {
    backing = await startBacking(sheet.policy);
    prepared = await prepare(sheet, backing);
    await sheet.prepare?.(backing);
  });
  afterAll(() => backing?.close());

  it.each(COLUMNS)('$name', async (column) => {
    const ran = await runColumn(column, sheet, prepared, backing);
    if (ran.kind === 'refused') throw new Error(ran.why);
    const wrong = ran.cells.flatMap((cell, i) =>
      cell.kind === 'pass' ? [] : [`${prepared.expected[i]?.case.name}: ${cell.how}${cell.lenient ? ' LENIENT' : ''}`],
    );
    expect(wrong).toEqual([]);
  });
});
