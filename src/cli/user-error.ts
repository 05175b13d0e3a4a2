// What stops a command and can be put right by its user. No I/O.
import { formatAddress } from '../config/config.ts';
import { ListenError } from '../server/listen.ts';

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

/** A command that has said itself what is wrong. */
export class ReportedError extends Error {
  override readonly name = 'ReportedError';
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2) {
    super('already reported');
    this.exitCode = exitCode;
  }
}

/** Turns listen errors into a sentence; others are left as they are. `remedy`: what else to do. */
export function listenError(error: unknown, what: string, address: string, remedy: string): unknown {
  // One of several listeners: it knows best which.
  if (error instanceof ListenError && error.cause !== undefined)
    return listenError(error.cause, what, formatAddress(error.address), `set ${error.key} to another address`);
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    return new UserError(`${what} cannot listen on ${address}: another program has this port. End it, or ${remedy}.`);
  }
  if (code === 'EACCES')
    return new UserError(
      `${what} may not listen on ${address}: ports below 1024 are reserved. Use a higher one: ${remedy}.`,
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new UserError(
      `${what} cannot listen on ${address}: this machine does not have that address. Use one that it has: ${remedy}.`,
    );
  }
  return error;
}
