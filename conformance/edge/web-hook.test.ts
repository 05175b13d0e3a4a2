// A web hook of a real Kratos, as docs/staleness.md shows it: a changed password ends the other sessions, and the edge
// forgets them at once.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { at, jsonRequest } from '../ory/http.ts';
import type { Person, RealOry, Session } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { freePorts } from '../ports.ts';
import { expectNoCredential } from './rig/canary.ts';
import { type Lines, send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { policy } from './rig/policy.ts';
import { ADMIN_TOKEN } from './rig/revoke.ts';

let hook: CountingProxy;
let ory: RealOry;
let edge: Edge;
let person: Person;
let admin: number;

/** The page's own hooks, with the address and the token of this test. */
function hooksOfThePage(url: string, token: string): readonly object[] {
  const page = readFileSync(new URL('../../docs/staleness.md', import.meta.url), 'utf8');
  const [, yaml = ''] = /```yaml\n(# kratos\.yml\n[\s\S]*?)```/.exec(page) ?? [];
  const here = yaml.replace('http://ory-envoy.internal:9193', url).replace('THE-ADMIN-TOKEN', token);
  expect(here).toContain(url);
  expect(here).toContain(token);
  return at(parse(here), 'selfservice', 'flows', 'settings', 'after', 'password', 'hooks') as object[];
}

beforeAll(async () => {
  [admin = 0] = await freePorts(1);
  hook = await startCountingProxy(`http://127.0.0.1:${admin}`);
  ory = await startRealOry({ afterPasswordChange: hooksOfThePage(hook.url, ADMIN_TOKEN) });
  const file = policy(ory, { cache: { ttl: '1h', edge_ttl: '0s' } });
  edge = await startEdge({ ...file, serve: { admin: `127.0.0.1:${admin}`, admin_token: ADMIN_TOKEN } });
  person = await ory.createPerson();
});

afterAll(async () => {
  await edge?.close();
  await ory?.close();
  await hook?.close();
});

const reason = async ({ token }: Session) => {
  const headers: Lines = [['X-Session-Token', token]];
  const answer = await send(edge.url, 'HTTP/1.1', { path: '/app/x', headers });
  return answer.status === 200 ? 'allowed' : answer.json()['reason'];
};

async function changePassword({ token }: Session, password: string): Promise<{ status: number; body: unknown }> {
  const headers = { accept: 'application/json', 'x-session-token': token };
  const begun = await fetch(`${ory.kratos.publicUrl}/self-service/settings/api`, { headers });
  const id = String(at(await begun.json(), 'id'));
  const request = jsonRequest('POST', { method: 'password', password });
  const answer = await fetch(`${ory.kratos.publicUrl}/self-service/settings?flow=${id}`, {
    ...request,
    headers: { ...request.headers, ...headers },
  });
  return { status: answer.status, body: await answer.json() };
}

it('a changed password ends the other sessions at the edge, by the time that the person sees it changed', async () => {
  const [own, other] = [await ory.login(person), await ory.login(person)];
  expect([await reason(own), await reason(other)]).toEqual(['allowed', 'allowed']);
  expect((await changePassword(own, 'a-new-password-of-nobody-1')).status).toBe(200);
  expect([await reason(own), await reason(other)]).toEqual(['allowed', 'session_invalid']);
  expect(hook.count('/revoke')).toBe(1);
  const { headers, body } = hook.last('/revoke') ?? { headers: {}, body: '' };
  expect(headers).toMatchObject({ authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' });
  expect(JSON.parse(body)).toEqual({ identity: person.id });
  expectNoCredential(edge, [ADMIN_TOKEN, person.id, own.token, other.token]);
});

it('Kratos tries again while the authorizer is away, and the flow fails where it stays away', async () => {
  const somebody = await ory.createPerson();
  const own = await ory.login(somebody);
  hook.reset();
  await edge.authorizer.kill();
  const answer = await changePassword(own, 'a-new-password-of-nobody-2');
  expect([answer.status, at(answer.body, 'error', 'code')]).toEqual([400, 500]);
  expect(hook.count('/revoke')).toBe(3);
  await edge.authorizer.start();
  // It is changed all the same.
  await ory.login({ ...somebody, password: 'a-new-password-of-nobody-2' });
});
