// docs/testing.md: its policy and its cases give the output that it shows.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { createEngine } from './engine.ts';
import { parseCases } from './load.ts';
import { resultOf, runText } from './report.ts';

const PAGE = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8');
const blockOf = (pattern: RegExp) => pattern.exec(PAGE)?.[1] ?? '';

test('the page shows what the command prints', async () => {
  const config = parseConfig(blockOf(/```yaml\n(# ory-envoy\.yaml\n[\s\S]*?)```/), 'ory-envoy.yaml', { env: {} });
  const engine = await createEngine(config, Date.now());
  const results = [];
  for (const one of parseCases(blockOf(/```yaml\n(# cases\.yaml\n[\s\S]*?)```/), 'cases.yaml', config, {}))
    results.push(resultOf(one, await engine.judge(one)));
  const text = runText({ file: 'cases.yaml', config, edge: undefined, results }, (_, plain) => plain);
  expect(blockOf(/```text\n([\s\S]*?)```/)).toBe(text);
});
