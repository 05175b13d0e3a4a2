// What is known of a process that was started. No I/O.
import type { Exit } from '../../edge/process.ts';

export interface Running {
  readonly pid: number;
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<Exit>;
  /** Resolves when the process is gone. May be called again. */
  stop(): Promise<void>;
}
