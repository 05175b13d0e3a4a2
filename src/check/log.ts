// What the check logs through: a subset of pino, so that a test can stand in. No I/O of its own.

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** At most one line a second for each key, with the count of those left out: an outage must not fill a disk. */
export class ThrottledLog {
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #last = new Map<string, { atMs: number; suppressed: number }>();

  constructor(log: Log, clock: () => number) {
    this.#log = log;
    this.#clock = clock;
  }

  warn(key: string, fields: object, message: string): void {
    this.#write('warn', key, fields, message);
  }

  info(key: string, fields: object, message: string): void {
    this.#write('info', key, fields, message);
  }

  #write(level: 'info' | 'warn', key: string, fields: object, message: string): void {
    const nowMs = this.#clock();
    const last = this.#last.get(key);
    if (last && nowMs >= last.atMs && nowMs - last.atMs < 1_000) {
      last.suppressed++;
      return;
    }
    this.#log[level](last?.suppressed ? { ...fields, suppressed: last.suppressed } : fields, message);
    this.#last.set(key, { atMs: nowMs, suppressed: 0 });
  }
}
