// A clock that a test turns. No I/O.

export class TurnedClock {
  now: number;

  constructor(now = 1_800_000_000_000) {
    this.now = now;
  }

  readonly read = (): number => this.now;
}
