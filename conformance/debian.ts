// Debian's packages, where this machine has them and lets us. Runs programs.
import { execFileSync } from 'node:child_process';

/** @returns whether they are installed now. */
export function installPackages(packages: readonly string[]): boolean {
  try {
    process.stderr.write(`Installing ${packages.join(', ')} with apt-get\n`);
    execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('apt-get', ['install', '-y', '-q', ...packages], { stdio: ['ignore', 'ignore', 'inherit'] });
    return true;
  } catch {
    return false;
  }
}
