// Each policy of examples/ has cases beside it, which reach every one of its rules and are as expected.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { createEngine } from './engine.ts';
import { parseCases } from './load.ts';
import { resultOf, runJson } from './report.ts';

const EXAMPLES = new URL('../../../examples/', import.meta.url);
const ENV = { ORY_API_KEY: 'ory_pat_of-nobody' };

const policies = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.yaml') && !name.endsWith('.cases.yaml') && !name.endsWith('/envoy.yaml'),
);

test.each(policies)('examples/%s: its cases reach every rule and are as expected', async (name) => {
  const cases = name.replace(/\.yaml$/, '.cases.yaml');
  expect(existsSync(new URL(cases, EXAMPLES)), `write examples/${cases}: what the example promises, as cases`).toBe(
    true,
  );
  const config = parseConfig(readFileSync(new URL(name, EXAMPLES), 'utf8'), name, { env: ENV });
  const engine = await createEngine(config, Date.now());
  const results = [];
  for (const one of parseCases(readFileSync(new URL(cases, EXAMPLES), 'utf8'), cases, config, ENV))
    results.push(resultOf(one, await engine.judge(one)));
  const run = { file: cases, config, edge: undefined, results };
  expect(
    results.filter(({ ok }) => !ok).map(({ case: one, outcome, comparison }) => [one.name, outcome, comparison]),
  ).toEqual([]);
  expect(runJson(run)).toMatchObject({ ok: true, rules_not_reached: [] });
});
