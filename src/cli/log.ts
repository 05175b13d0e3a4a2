// The program's own log: one JSON line an event, on standard error.
import { type Logger, pino } from 'pino';

/** `fields` are on every line. */
export function createLog(fields?: Readonly<Record<string, unknown>>): Logger {
  return pino(
    { base: fields ?? null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}
