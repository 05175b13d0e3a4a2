// The program's own log: one JSON line an event, on standard error.
import { type Logger, pino } from 'pino';

export function createLog(): Logger {
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}
