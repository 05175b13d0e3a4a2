// A thousand clients of one session that nobody has seen yet, at once: how often Kratos is asked. Opens loopback
// connections.
import { Agent } from 'node:http';
import { ask, urlOf } from '../contender/verify.ts';
import { rounded } from '../report/statistics.ts';
import { COOKIE, cookieOf } from '../stand-in/credentials.ts';
import type { Field } from './field.ts';

export interface AtOnceRow {
  readonly id: string;
  readonly title: string;
  readonly clients: number;
  readonly whoamis: number;
  /** Until the last had its answer. */
  readonly milliseconds: number;
}

/** Nobody else asks with this session. */
const PERSON = 9_999_999;

export async function atOnce(field: Field, clients: number): Promise<readonly AtOnceRow[]> {
  const rows: AtOnceRow[] = [];
  for (const { contender, running } of field.entries) {
    const agent = new Agent({ keepAlive: true, maxSockets: clients });
    const whoamisBefore = await field.kratos.whoamis();
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: clients }, () => ask(urlOf(running), `Cookie: ${COOKIE}=${cookieOf(PERSON)}`, agent)),
    ).finally(() => agent.destroy());
    const milliseconds = performance.now() - started;
    if (answers.some(({ status }) => status !== 200)) throw new Error(`${contender.id} refused one who may`);
    rows.push({
      id: contender.id,
      title: contender.title,
      clients,
      whoamis: (await field.kratos.whoamis()) - whoamisBefore,
      milliseconds: rounded(milliseconds),
    });
  }
  return rows;
}
