// One question to `/sessions/whoami`, with its headers exactly as given: duplicates stay duplicates. Network.
import { request } from 'node:http';
import type { Ory } from './ory.ts';

export interface WhoamiAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: unknown;
}

export type RawHeader = readonly [name: string, value: string];

/** `fetch` would join two headers of one name and drop empty ones. */
export function whoami(ory: Ory, headers: readonly RawHeader[] = [], method = 'GET'): Promise<WhoamiAnswer> {
  const url = new URL(`${ory.kratos.publicUrl}/sessions/whoami`);
  const raw = [['Host', url.host], ['Connection', 'close'], ...headers].flat();
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers: raw, agent: false }, async (response) => {
      let text = '';
      response.setEncoding('utf8');
      for await (const chunk of response) text += chunk;
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

export async function whoamiStatus(ory: Ory, ...headers: readonly RawHeader[]): Promise<number> {
  return (await whoami(ory, headers)).status;
}
