// What is said of a part that starts, ends and comes back. Writes to the journal alone.

import type { PartEvents } from '../part/part.ts';
import type { Journal } from './journal.ts';
import type { PartName } from './lines.ts';

const TITLES: Readonly<Record<PartName, string>> = {
  up: 'up',
  envoy: 'Envoy',
  authorizer: 'the authorizer',
  ory: 'the development Ory',
  pages: 'the login pages',
  app: 'the demo application',
};

export function partEvents(part: PartName, journal: Journal): PartEvents {
  const title = TITLES[part];
  return {
    started(pid, again) {
      journal.info(`${title} runs${again ? ' again' : ''} (process ${pid})`, {
        event: again ? 'restarted' : 'started',
        data: { of: part, pid },
      });
    },
    ended({ code, signal }, nextMs) {
      journal.warn(`${title} ended by itself (${signal ?? `code ${code}`}): it is started again in ${nextMs} ms`, {
        event: 'ended',
        data: { of: part, code, signal, nextMs },
      });
    },
    failed(why, nextMs) {
      journal.error(`${title} cannot be started again: ${why.replace(/\.$/, '')}. It is tried again in ${nextMs} ms`, {
        event: 'failed',
        data: { of: part, why, nextMs },
      });
    },
  };
}
