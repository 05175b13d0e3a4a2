// The time, passed in so that tests can turn it. No I/O of its own.

/** Milliseconds since the epoch. */
export type Clock = () => number;
