// docs/quickstart.md, step by step as it stands: the policy written down, a rule put in while it runs, a fault, and the
// commands that the page shows.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../until.ts';
import { send } from './rig/client.ts';
import { type UpRig, upRig } from './rig/up-process.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/quickstart.md'), 'utf8');
const RULE = /```yaml rule\n([\s\S]*?)```/.exec(PAGE)?.[1] ?? '';

let rig: UpRig;
beforeEach(() => {
  rig = upRig();
});
afterEach(() => rig.close());

const get = (path: string) => send('http://127.0.0.1:8080', 'HTTP/1.1', { path });

it('the rule that the page adds is in force as soon as it is saved, and a fault is said as the page says it', async () => {
  const printed = execFileSync('npm', ['run', '-s', 'ory-envoy', '--', 'up', '--print-config'], {
    cwd: ROOT,
  }).toString();
  const file = join(rig.dir, 'ory-envoy.yaml');
  writeFileSync(file, printed);
  const up = rig.up();
  await up.isUp();
  expect((await get('/reports/x')).status).toBe(401);

  const withRule = printed.replace(/^ {2}- name: app$/m, `${RULE}  - name: app`);
  expect(withRule).toContain('name: reports');
  writeFileSync(file, withRule);
  const [line = ''] = /ory-envoy\.yaml is in force \(\d rules\)/.exec(PAGE) ?? [];
  await until('the change is in force', () => up.err().includes(line));
  expect((await get('/reports/x')).status).toBe(200);

  writeFileSync(file, withRule.replace('methods:', 'metods:'));
  const shown = [...PAGE.matchAll(/^ {4}(up +error .*)$/gm)].map(([, text = '']) => text);
  expect(shown).toHaveLength(2);
  await until('the fault is said', () => shown.every((text) => up.err().includes(text)));
  expect((await get('/reports/x')).status).toBe(200);
});
