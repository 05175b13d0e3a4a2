// Whether a contender does its job: before its figures are taken, and after. Opens loopback connections.
import { Agent, request } from 'node:http';
import { SEEN_USER } from '../stand-in/application.ts';
import { COOKIE, cookieOf, identityIdOf } from '../stand-in/credentials.ts';
import type { Issuer } from '../stand-in/issuer.ts';
import type { Contender, RunningContender } from './contender.ts';

const PATH = '/orders/1';

export function urlOf({ envoy }: RunningContender): string {
  return `http://127.0.0.1:${envoy.listenPort}${PATH}`;
}

/** The header line with which this person asks. */
export function headerLine({ credential }: Pick<Contender, 'credential'>, person: number, issuer: Issuer): string {
  return credential === 'JWT'
    ? `Authorization: Bearer ${issuer.tokenOf(person)}`
    : `Cookie: ${COOKIE}=${cookieOf(person)}`;
}

/** @throws where it lets in whom it must not, keeps out whom it must not, or names somebody else. */
export async function verify(
  contender: Contender,
  running: RunningContender,
  persons: readonly number[],
  issuer: Issuer,
): Promise<void> {
  const url = urlOf(running);
  const fail = (what: string) => {
    throw new Error(`${contender.id} does not do its job: ${what}`);
  };
  for (const person of persons) {
    const { status, user } = await ask(url, headerLine(contender, person, issuer));
    if (status !== 200) fail(`person ${person} got ${status}`);
    if (contender.identifies && user !== identityIdOf(person)) fail(`person ${person} was taken for ${user}`);
  }
  if (!contender.refuses) return;
  const nobodies = [undefined, contender.credential === 'JWT' ? 'Authorization: Bearer a.b.c' : `Cookie: ${COOKIE}=no`];
  for (const line of nobodies) {
    const { status } = await ask(url, line);
    if (status !== 401) fail(`${line ?? 'nothing'} got ${status} instead of 401`);
  }
}

/** Every person asks once, some at a time. @throws where one was refused. */
export async function askAll(url: string, lines: readonly string[], atOnce = 32): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  let next = 0;
  const client = async () => {
    for (let line = lines[next++]; line !== undefined; line = lines[next++]) {
      const { status } = await ask(url, line, agent);
      if (status !== 200) throw new Error(`${url} answered ${status} to one who may`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client)).finally(() => agent.destroy());
}

interface Answer {
  readonly status: number;
  readonly user: string | undefined;
}

export function ask(url: string, line: string | undefined, agent: Agent | false = false): Promise<Answer> {
  const colon = line?.indexOf(': ') ?? 0;
  const headers = line === undefined ? {} : { [line.slice(0, colon)]: line.slice(colon + 2) };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, headers, timeout: 30_000 }, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => {
        const user = response.headers[SEEN_USER];
        resolve({ status: response.statusCode ?? 0, user: typeof user === 'string' ? user : undefined });
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}
