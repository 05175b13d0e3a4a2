// Times relative to a run, as cases write them: -20m, +1h. No I/O.
import { durationMs } from '../../config/duration.ts';

export function isMoment(text: string): boolean {
  return offsetMs(text) !== undefined;
}

/** Milliseconds since the epoch; undefined where the text is not relative. */
export function momentMs(text: string, nowMs: number): number | undefined {
  const offset = offsetMs(text);
  return offset === undefined ? undefined : nowMs + offset;
}

function offsetMs(text: string): number | undefined {
  const duration = durationMs(text.slice(1));
  if (duration === undefined || !/^[+-]/.test(text)) return undefined;
  return text.startsWith('-') ? -duration : duration;
}
