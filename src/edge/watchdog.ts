// A process that outlives this one only long enough to end another. Runs a program.
import { spawn } from 'node:child_process';

/**
 * Sends SIGTERM to `pid` and removes `folder` when this process is gone, also by SIGKILL: an Envoy left behind would go on answering with an
 * old policy and keep the port.
 * @returns how to call it off, which must be done once `pid` has ended: the number may then be another's.
 */
export function endWithThisProcess(pid: number, folder: string): () => void {
  return afterThisProcess('kill -TERM "$0"; rm -rf -- "$1"', [String(pid), folder]);
}

/** Removes `folder` when this process is gone, also by SIGKILL. @returns how to call it off, where it is gone before. */
export function removeWithThisProcess(folder: string): () => Promise<void> {
  return afterThisProcess('rm -rf -- "$0"', [folder]);
}

/** The shell waits for the end of a pipe that only this process holds open. */
function afterThisProcess(command: string, args: readonly string[]): () => Promise<void> {
  const shell = spawn('/bin/sh', ['-c', `read -r _; ${command}`, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a shell there is no watchdog, and everything else works.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  return () =>
    new Promise((resolve) => {
      if (shell.exitCode !== null || shell.signalCode !== null || shell.pid === undefined) return resolve();
      shell.ref();
      shell.once('exit', () => resolve());
      shell.kill('SIGKILL');
    });
}
