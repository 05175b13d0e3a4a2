// The table of attacks, held against the code and the tests that it names, and against SECURITY.md.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CLASSES } from './classes.ts';
import { REMOVALS } from './defences.ts';
import { securityTable, withTable } from './security-table.ts';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const testFile = (name: string) =>
  [`conformance/edge/attacks/${name}`, `conformance/edge/${name}`, name].find((path) =>
    existsSync(new URL(path, ROOT)),
  ) ?? '';

describe('the table of attacks', () => {
  it('names each class once, and the suite runs each of them', () => {
    expect(new Set(CLASSES.map(({ id }) => id)).size).toBe(CLASSES.length);
    const folder = fileURLToPath(new URL('.', import.meta.url));
    const suite = readdirSync(folder)
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(`${folder}${name}`, 'utf8'))
      .join('\n');
    for (const { id } of CLASSES)
      expect(suite.includes(`attack(${typeof id === 'number' ? id : `'${id}'`})`), `class ${id} has tests`).toBe(true);
  });

  it.each(CLASSES.map((one) => [one.id, one] as const))('class %s: its files and its tests are there', (_, one) => {
    for (const path of one.where) expect([path, existsSync(new URL(path, ROOT))]).toEqual([path, true]);
    expect(one.tests.length).toBeGreaterThan(0);
    for (const test of one.tests) {
      const colon = test.indexOf(': ');
      const path = testFile(test.slice(0, colon));
      expect([test, path === '' ? '' : read(path).includes(test.slice(colon + 2))]).toEqual([test, true]);
    }
  });

  it('takes each defence away somewhere', () => {
    const taken = new Set(REMOVALS.map(({ id }) => id));
    expect(CLASSES.filter(({ id }) => !taken.has(id))).toEqual([]);
    expect(new Set(REMOVALS.map(({ what }) => what)).size).toBe(REMOVALS.length);
  });

  it.each(REMOVALS.map((one) => [one.what, one] as const))('%s can be taken away: the place is there', (_, one) => {
    expect(CLASSES.some(({ id }) => id === one.id)).toBe(true);
    expect(read(one.file).split(one.from).length, `${one.file} has it once`).toBe(2);
    expect(read(testFile(one.test))).toContain(one.name);
  });

  it('is the one in SECURITY.md: npm run security writes it', () => {
    const page = read('SECURITY.md');
    expect(page).toContain(securityTable());
    expect(withTable(page)).toBe(page);
  });
});
