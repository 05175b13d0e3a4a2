// Builds `dist/` from nothing: JavaScript and types, the command executable, the script that is no JavaScript.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (status === 0) {
  chmodSync('dist/cli/main.js', 0o755);
  const script = 'generate/envoy/edge-cache.lua';
  copyFileSync(`src/${script}`, `dist/${script}`);
}
process.exitCode = status ?? 1;
