// How long something that has ended is still let in, on the real Kratos and Hydra: never longer than docs/staleness.md
// says. `npm run staleness` writes what was measured into that page.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Ory } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { until } from '../until.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { AUDIENCE, policy } from './rig/policy.ts';
import { ADMIN_TOKEN, postRevoke } from './rig/revoke.ts';

const TTL_MS = 2_000;
const EDGE_TTL_MS = 1_000;
const EACH = 6;
const PAUSE_MS = 40;
/** Two processes read the time, each in whole milliseconds. */
const GRAIN_MS = 2;

/** Something that lets in, and how it ends. */
interface Case {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** At Ory. */
  end(): Promise<unknown>;
  /** What `POST /revoke` is told. */
  readonly revocation: object;
}

interface Ending {
  readonly name: string;
  make(ory: Ory): Promise<Case>;
}

async function sessionCase(
  ory: Ory,
  end: (session: { id: string; token: string }, person: string) => Promise<unknown>,
) {
  const person = await ory.createPerson();
  const session = await ory.login(person);
  return {
    path: '/app/x',
    headers: { 'x-session-token': session.token },
    end: () => end(session, person.id),
    session,
    person,
  };
}

async function remove(url: string): Promise<void> {
  const { status } = await fetch(url, { method: 'DELETE' });
  if (status !== 204) throw new Error(`DELETE ${url}: ${status}`);
}

const ENDINGS: readonly Ending[] = [
  {
    name: 'a session is logged out',
    async make(ory) {
      const one = await sessionCase(ory, (session) => ory.logout(session));
      return { ...one, revocation: { session: one.session.id } };
    },
  },
  {
    name: 'a session is revoked: `DELETE /admin/sessions/{id}`',
    async make(ory) {
      const one = await sessionCase(ory, ({ id }) => ory.revokeSession(id));
      return { ...one, revocation: { session: one.session.id } };
    },
  },
  {
    name: 'all sessions of an identity are: `DELETE /admin/identities/{id}/sessions`',
    async make(ory) {
      const one = await sessionCase(ory, (_, person) =>
        remove(`${ory.kratos.adminUrl}/admin/identities/${person}/sessions`),
      );
      return { ...one, revocation: { identity: one.person.id } };
    },
  },
  {
    name: 'an identity is made inactive',
    async make(ory) {
      const one = await sessionCase(ory, (_, person) => ory.setPersonState(person, 'inactive'));
      return { ...one, revocation: { identity: one.person.id } };
    },
  },
  {
    name: 'an identity is deleted',
    async make(ory) {
      const one = await sessionCase(ory, (_, person) => remove(`${ory.kratos.adminUrl}/admin/identities/${person}`));
      return { ...one, revocation: { identity: one.person.id } };
    },
  },
  {
    name: 'an opaque token is revoked at Hydra',
    async make(ory) {
      const client = await ory.createClient({ audience: [AUDIENCE], strategy: 'opaque' });
      const person = await ory.createPerson();
      const { accessToken } = await ory.authorizationCode(person, client, { audience: [AUDIENCE] });
      const { sub } = (await ory.introspect(accessToken)) as { sub: string };
      return {
        path: '/api/x',
        headers: { authorization: `Bearer ${accessToken}` },
        end: () => ory.revokeToken(client, accessToken),
        revocation: { identity: sub },
      };
    },
  },
];

/** One after the other. */
class Latch {
  #last: Promise<unknown> = Promise.resolve();

  do<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine;
    return mine;
  }
}

/** Asks again and again until it is refused. @returns when the last request that was let in began; 0: none was */
async function lastYes(edge: Edge, { path, headers }: Case, endingAt: () => number): Promise<number> {
  let last = 0;
  for (;;) {
    const began = performance.now();
    const { status } = await fetch(`${edge.url}${path}`, { headers });
    if (status === 200) last = began;
    else if (endingAt() > 0 && status === 401) return last;
    else throw new Error(`${path} answers ${status}`);
    if (endingAt() > 0 && began > endingAt() + 10 * TTL_MS) throw new Error('it is let in for ever');
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Their databases are SQLite files: two writes at once are an error. */
const writing = new Latch();

/** @returns for how many milliseconds after its end it was let in; `ageMs` is how long before that it is first used. */
async function measure(edge: Edge, one: Case, revoke: boolean, ageMs: number): Promise<number> {
  let endingAt = 0;
  const began = performance.now();
  const last = lastYes(edge, one, () => endingAt);
  last.catch(() => {});
  await until('it is of that age', () => performance.now() >= began + ageMs);
  await writing.do(() => {
    // It may be refused before Ory has answered.
    endingAt = performance.now();
    return one.end();
  });
  if (revoke) expect((await postRevoke(edge, one.revocation)).status).toBe(200);
  const endedAt = performance.now();
  return Math.max(0, (await last) - endedAt);
}

interface Way {
  readonly name: string;
  readonly edge: 'none' | 'unfed' | 'fed';
  readonly revoke: boolean;
  /** What the page promises. */
  readonly boundMs: number;
}

const WAYS: readonly Way[] = [
  { name: 'no edge cache', edge: 'none', revoke: false, boundMs: TTL_MS },
  { name: 'edge cache', edge: 'unfed', revoke: false, boundMs: TTL_MS },
  { name: 'no edge cache, `revoke`', edge: 'none', revoke: true, boundMs: 0 },
  { name: 'edge cache, `--envoy-config`, `revoke`', edge: 'fed', revoke: true, boundMs: 0 },
  { name: 'edge cache, `revoke`', edge: 'unfed', revoke: true, boundMs: EDGE_TTL_MS },
];

let ory: Ory;
const edges = new Map<Way['edge'], Edge>();
const measured = new Map<string, number[]>();

beforeAll(async () => {
  ory = await startRealOry();
  for (const edge of ['none', 'unfed', 'fed'] as const) {
    const edgeTtlMs = edge === 'none' ? 0 : EDGE_TTL_MS;
    const cache = { ttl: `${TTL_MS}ms`, negative_ttl: '0s', edge_ttl: `${edgeTtlMs}ms` };
    const file = { ...policy(ory, { cache }), serve: { admin_token: ADMIN_TOKEN } };
    edges.set(edge, await startEdge(file, 'http', undefined, { byFile: edge === 'fed' }));
  }
});

afterAll(async () => {
  for (const edge of edges.values()) await edge.close();
  await ory?.close();
});

it.each(ENDINGS)('where $name, it is let in for no longer than the page says', async ({ name, make }) => {
  const longest = await Promise.all(
    WAYS.map(async (way) => {
      const cases: Case[] = [];
      for (let i = 0; i < EACH; i++) cases.push(await writing.do(() => make(ory)));
      const edge = edges.get(way.edge) as Edge;
      // Ends at all ages of what is remembered.
      const ages = cases.map((_, i) => TTL_MS + (i / EACH) * TTL_MS);
      return Math.max(...(await Promise.all(cases.map((one, i) => measure(edge, one, way.revoke, ages[i] ?? 0)))));
    }),
  );
  measured.set(name, longest);
  for (const [i, way] of WAYS.entries()) {
    const ms = longest[i] ?? Number.NaN;
    process.stdout.write(`${name}, ${way.name}: let in for ${Math.round(ms)} ms at most, of ${way.boundMs} ms\n`);
    expect(ms, way.name).toBeLessThanOrEqual(way.boundMs + GRAIN_MS);
  }
});

const PAGE = new URL('../../docs/staleness.md', import.meta.url);
const SECTION = /(?<=<!-- measured -->\n)[\s\S]*?(?=<!-- \/measured -->)/;

function table(): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
  const rows = ENDINGS.map(({ name }) => `| ${name} | ${(measured.get(name) ?? []).map(seconds).join(' | ')} |\n`);
  const head = WAYS.map(
    ({ name, boundMs }) => `${name} (${boundMs === 0 ? 'the next request' : `at most ${boundMs / 1_000} s`})`,
  );
  return `| what ended | ${head.join(' | ')} |\n|---|${'---|'.repeat(WAYS.length)}\n${rows.join('')}`;
}

/** Without the figures, which are those of one run. */
const shape = (text: string) => text.replaceAll(/\d+\.\d\d s/g, '_ s');

it('docs/staleness.md has these rows and bounds, and no figure beyond its bound', () => {
  const page = readFileSync(PAGE, 'utf8');
  const whole = ENDINGS.every(({ name }) => measured.has(name));
  if (process.env['ORY_ENVOY_STALENESS'] === 'write' && whole)
    writeFileSync(
      PAGE,
      page.replace(SECTION, () => table()),
    );
  const [section = ''] = SECTION.exec(readFileSync(PAGE, 'utf8')) ?? [];
  expect(page, 'to what the figures are exact').toContain(`asks anew ${PAUSE_MS} ms after its last answer`);
  expect(shape(section)).toBe(shape(table()));
  for (const line of section.split('\n').filter((one) => /\d\.\d\d s/.test(one))) {
    const figures = [...line.matchAll(/(\d+\.\d\d) s/g)].map(([, text]) => Number(text) * 1_000);
    for (const [i, way] of WAYS.entries()) expect(figures[i]).toBeLessThanOrEqual(way.boundMs + 10);
  }
});
