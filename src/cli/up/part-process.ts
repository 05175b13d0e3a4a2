// The hidden command `part`: one part of `up` in a process of its own, which ends when `up` does. Opens sockets.
import { ConfigError } from '../../config/fault.ts';
import { UserError } from '../user-error.ts';
import type { Answer, Order, Settings, StartedPart } from './messages.ts';

/** Loaded when wanted: the authorizer does not carry the development Ory. */
async function start(settings: Settings): Promise<StartedPart> {
  switch (settings.part) {
    case 'authorizer':
      return (await import('./authorizer-part.ts')).startAuthorizerPart(settings);
    case 'ory':
      return (await import('./development-parts.ts')).startOryPart(settings);
    case 'pages':
      return (await import('./development-parts.ts')).startPagesPart(settings);
    case 'app':
      return (await import('./development-parts.ts')).startAppPart(settings);
  }
}

/** @throws {UserError} where it is not `up` that calls. */
export async function part(): Promise<void> {
  if (!process.send) throw new UserError('part is for `ory-envoy up` to call. Call that one.', 2);
  // `up` is gone, by whatever signal: nobody is left to be served.
  process.on('disconnect', () => process.exit(0));
  if (!process.connected) process.exit(0);
  let running: StartedPart | undefined;
  let orders: Promise<void> = Promise.resolve();
  const carryOut = async ({ id, settings }: Order): Promise<void> => {
    try {
      if (running) await running.change(settings);
      else running = await start(settings);
      answer({ id, ok: true, facts: running.facts });
    } catch (error) {
      if (!(error instanceof UserError || error instanceof ConfigError)) throw error;
      answer({ id, ok: false, problem: error.message });
    }
  };
  process.on('message', (order: Order) => {
    orders = orders.then(() => carryOut(order));
  });
  process.once('SIGTERM', () => void orders.then(() => running?.close()).finally(() => process.exit(0)));
}

function answer(message: Answer): void {
  process.send?.(message);
}
