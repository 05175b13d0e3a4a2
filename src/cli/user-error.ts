// What stops a command and can be put right by its user. No I/O.

/** One sentence with the way out. Exit code 1: the answer is no; 2: usage or configuration. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code = 'ERR_USER';
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Turns the listen errors of node:net into a sentence; others are left as they are. */
export function listenError(error: unknown, what: string, address: string, key: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    return new UserError(
      `${what} cannot listen on ${address}: another program has this port. End it, or set ${key} to another address.`,
    );
  }
  if (code === 'EACCES') return new UserError(`${what} may not listen on ${address}. Set ${key} to a port above 1023.`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new UserError(
      `${what} cannot listen on ${address}: this machine does not have that address. Set ${key} to one that it has.`,
    );
  }
  return error;
}
