// The hidden command `worker`: one of several processes that judge checks, until `serve` is done or gone. Opens sockets.

import type { KeyChanges } from '../../check/identity/jwks.ts';
import { parseConfig } from '../../config/load.ts';
import { type Authorizer, startAuthorizer } from '../../server/authorizer.ts';
import { ListenError } from '../../server/listen.ts';
import { createLog } from '../log.ts';
import { UserError } from '../user-error.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { ParentVerifier } from './parent-verifier.ts';

/** @throws {UserError} where it is not `serve` that calls. */
export async function worker(): Promise<void> {
  if (!process.send) throw new UserError('worker is for `ory-envoy serve --workers N` to call. Call that one.', 2);
  // Ctrl-C and an orchestrator's stop reach every process of a group: `serve` says when, so that nobody is cut off.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
  // `serve` is gone, by whatever signal: nobody is left to ask, and nobody to hear of a revocation from.
  process.on('disconnect', () => process.exit(0));
  if (!process.connected) process.exit(0);
  const parent = new ParentVerifier((id, question) => tell({ kind: 'question', id, ...question }));
  let started: Promise<Started | undefined> = Promise.resolve(undefined);
  process.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'start':
        started = start(message, parent);
        break;
      case 'answer':
        parent.answered(message.id, message.answer);
        break;
      case 'forget':
        void started.then((authorizer) => {
          void authorizer?.revoke(message.revocation);
          tell({ kind: 'forgotten', id: message.id });
        });
        break;
      case 'keys':
        void started.then((authorizer) => authorizer?.keys?.refresh());
        break;
      case 'not-serving':
        void started.then((authorizer) => authorizer?.notServing());
        break;
      case 'close':
        void started.then((authorizer) => authorizer?.close()).finally(() => process.exit(0));
        break;
    }
  });
  tell({ kind: 'up' });
}

type Started = Authorizer & { readonly keys: KeyChanges | undefined };

/** Whatever else goes wrong ends the process: `serve` says so, and starts another. */
async function start(
  { worker: number, file, text, addresses, fed }: Extract<ToWorker, { kind: 'start' }>,
  parent: ParentVerifier,
): Promise<Started | undefined> {
  const config = parseConfig(text, file);
  try {
    const authorizer = await startAuthorizer(
      { ...config, serve: { ...config.serve, ...addresses } },
      { log: createLog({ worker: number }), oryVerifier: parent },
    );
    const keys = authorizer.keysOf(config);
    // The first time tells what is there.
    let told = 0;
    if (fed) keys?.watch(() => told++ > 0 && tell({ kind: 'keys' }));
    tell({ kind: 'listening', addresses: { http: authorizer.http, grpc: authorizer.grpc } });
    return { ...authorizer, keys };
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    tell({ kind: 'failed', key: error.key, address: error.address, code: error.code });
    return undefined;
  }
}

function tell(message: FromWorker): void {
  // Where the channel is closed, the process is ending.
  process.send?.(message, undefined, undefined, () => {});
}
