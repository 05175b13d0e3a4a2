// Durations as the configuration writes them: `500ms`, `30s`, `15m`, `1h`. No I/O.

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h)$/;

/** Milliseconds of a duration, or undefined where the text is not one. */
export function durationMs(text: string): number | undefined {
  const parts = DURATION_PATTERN.exec(text);
  if (!parts) return undefined;
  return Number(parts[1]) * UNIT_MS[parts[2] as keyof typeof UNIT_MS];
}

/** The shortest way to write a duration, for messages. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms >= UNIT_MS[unit] && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return ms === 0 ? '0s' : `${ms}ms`;
}
