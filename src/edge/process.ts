// How a process that was started has ended, and how it is ended. Sends signals.
import type { ChildProcess } from 'node:child_process';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** SIGTERM, and SIGKILL after the bound; resolves with `exited`. */
export async function stopProcess(child: ChildProcess, exited: Promise<Exit>, timeoutMs: number): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await exited;
  clearTimeout(timer);
}
