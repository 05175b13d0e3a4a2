// What the documents show is run: every example and every file in the README starts a real Envoy, every reason has a
// line, every file that is named is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DENIALS } from '../../src/check/reason.ts';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

const examples = readdirSync(new URL('examples/', root), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml') && !name.endsWith('.cases.yaml') && !name.endsWith('/envoy.yaml'))
  .map((name): [string, string] => [`examples/${name}`, read(`examples/${name}`)]);
/** The files in pages; those of Kratos are shown beside them. */
const PAGES = ['README.md', 'docs/ory-network.md', 'docs/rules.md', 'docs/self-hosted.md'];
const inPages = PAGES.flatMap((page) =>
  [...read(page).matchAll(/```yaml\n([\s\S]*?)```/g)]
    .map(([, text = '']) => text)
    .filter((text) => !text.startsWith('# kratos.yml'))
    .map((text, i): [string, string] => [`${page}, file ${i + 1}`, text]),
);

const ENV = { ORY_API_KEY: 'ory_pat_of-nobody' };

/** The same file on free ports, without the certificate that only its author has. */
function here(text: string): string {
  const config = text
    .replace(/^ {2}(?:listen|tls):.*$/gm, '')
    .replace(/^edge:$/m, 'edge:\n  listen: 127.0.0.1:0\n  admin: 127.0.0.1:0');
  expect(config).toContain('127.0.0.1:0');
  return config;
}

describe('the files that the documents show', () => {
  it('are all of them', () => expect([examples.length, inPages.length]).toEqual([11, 7]));

  it.each([...examples, ...inPages])('%s is valid and runs in a real Envoy', async (name, text) => {
    parseConfig(text, name, { env: ENV });
    const { path } = await findEnvoy();
    const envoy = await startEnvoy({
      path,
      config: generateEnvoy(parseConfig(here(text), name, { env: ENV }), { part: 'bootstrap' }),
      concurrency: 1,
    });
    const answer = await fetch(`http://127.0.0.1:${envoy.listenPort}/%2e%2e%2f`);
    await envoy.stop();
    expect([answer.status, ((await answer.json()) as { reason: string }).reason]).toEqual([400, 'path_ambiguous']);
  });
});

/** What a link to a heading of this page ends with. */
const placesOf = (page: string) =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );

describe('the pages', () => {
  it('docs/reasons.md has a line for every reason, and none for others', () => {
    const page = read('docs/reasons.md');
    const listed = [...page.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(new Set(listed)).toEqual(new Set([...Object.keys(DENIALS), 'authorizer_unreachable']));
  });

  it('links lead to files that are there', () => {
    const pages = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));
    expect(pages.length).toBeGreaterThan(10);
    for (const page of [
      'README.md',
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'conformance/README.md',
      ...pages.map((name) => `docs/${name}`),
    ]) {
      for (const [, target = '', place] of read(page).matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)) {
        if (target.startsWith('http')) continue;
        const file = target === '' ? page : new URL(target, new URL(page, root)).href.slice(root.href.length);
        expect(existsSync(new URL(file, root)), `${page}: ${target}`).toBe(true);
        if (place !== undefined) expect(placesOf(read(file)), `${page}: ${target}#${place}`).toContain(place);
      }
    }
  });

  it('docs/edge-cache.md names tests that are there', () => {
    const table = read('docs/edge-cache.md')
      .split('\n')
      .filter((line) => line.startsWith('| '));
    const names = table.flatMap((line) => [...line.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, name = '']) => name));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      const path = name.includes('/') ? name : `edge-cache/${name}`;
      expect(existsSync(new URL(`conformance/edge/${path}`, root)), name).toBe(true);
    }
  });

  it('ARCHITECTURE.md names files that are there', () => {
    const names = [
      ...read('ARCHITECTURE.md').matchAll(/`((?:src|admin|check|config|generate|server|edge|cli|dev)\/[\w./-]+)`/g),
    ].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(20);
    for (const name of names)
      expect(existsSync(new URL(name.startsWith('src/') ? name : `src/${name}`, root)), name).toBe(true);
  });

  it('conformance/README.md names tests that are there', () => {
    const names = [...read('conformance/README.md').matchAll(/`((?:edge|ory|browser|package)\/[\w./-]+)`/g)].map(
      ([, name = '']) => name,
    );
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(existsSync(new URL(`conformance/${name}`, root)), name).toBe(true);
  });
});
