// A configuration that is right in itself and cannot be expressed for the target. No I/O.

/** The message names the key and the way out; it is for the user. */
export class GenerateError extends Error {
  override readonly name = 'GenerateError';
}
