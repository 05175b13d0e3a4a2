import { describe, expect, test } from 'vitest';
import { ListenError } from '../server/listen.ts';
import { listenError, UserError } from './user-error.ts';

describe('a port that is taken', () => {
  const taken = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });

  test('is named with its address and the way out', () => {
    const error = listenError(taken, 'the admin port', '127.0.0.1:9193', 'set serve.admin to another address');
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toBe(
      'the admin port cannot listen on 127.0.0.1:9193: another program has this port. End it, or set serve.admin to another address.',
    );
  });

  test('of several listeners is the one that failed, whatever its caller took it for', () => {
    const cause = new ListenError(taken, 'serve.grpc', { host: '::1', port: 9192 });
    const error = listenError(cause, 'the authorizer', '127.0.0.1:9191', 'set serve.http to another address');
    expect((error as UserError).message).toBe(
      'the authorizer cannot listen on [::1]:9192: another program has this port. End it, or set serve.grpc to another address.',
    );
  });

  test('is left as it is where it is something else', () => {
    const other = new Error('x');
    expect(listenError(other, 'a', 'b', 'c')).toBe(other);
  });
});
