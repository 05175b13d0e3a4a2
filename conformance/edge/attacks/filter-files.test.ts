// What is given to Envoy by file empties its cache; and where Envoy does not take it, that is an error that is said, and
// mended. Envoy itself, its files and its admin port are what goes wrong here.
import { chmod, link, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readStats } from '../../../src/edge/admin-stats.ts';
import { FilterFeed, FilterFolderError } from '../../../src/edge/filter-feed.ts';
import { makePlan } from '../../../src/generate/plan.ts';
import { until } from '../../until.ts';
import { send } from '../rig/client.ts';
import { counter } from '../rig/counter.ts';
import { type FedEdge, startFedEdge } from '../rig/fed-edge.ts';
import { startLoad } from '../rig/load.ts';
import { attack } from './classes.ts';
import { fileFor } from './rig.ts';
import { type ScriptedOry, startScriptedOry } from './scripted-ory.ts';

let ory: ScriptedOry;
let edge: FedEdge;
let sessions = 0;

beforeAll(async () => {
  ory = await startScriptedOry();
});
afterAll(() => ory?.close());
beforeEach(async () => {
  edge = await startFedEdge(remembering());
});
afterEach(() => edge?.close());

const status = async (value: string) =>
  (await send(edge.url, 'HTTP/1.1', { path: '/admin/x', headers: [['X-Session-Token', value]] })).status;
/** Over several connections, so that both workers are asked. */
const statuses = (value: string) => Promise.all(Array.from({ length: 16 }, () => status(value)));
const hits = () => counter(edge.envoy(), 'http.edge.lua.edge_cache.hits').catch(() => 0);
const script = async () => (await readdir(edge.folder)).find((name) => name.startsWith('edge-cache-')) ?? '';
const keysFile = async () => (await readdir(edge.folder)).find((name) => name.startsWith('jwt-authn-')) ?? '';

const remembering = () => fileFor(ory, { cache: { ttl: '60s', edge_ttl: '30s' } });

/** A filter before all others that keeps its worker busy for a second where it is asked to. */
function withSpinning(yaml: string): string {
  const spin = `
                  - name: spin
                    typed_config:
                      '@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
                      default_source_code:
                        inline_string: |
                          function envoy_on_request(h)
                            if not h:headers():get("x-spin") then return end
                            local from = os.clock()
                            while os.clock() - from < 1 do end
                          end`;
  const patched = yaml.replace(/http_filters:/, (found) => `${found}${spin}`);
  expect(patched).not.toBe(yaml);
  return patched;
}

/** A session that Envoy remembers, and the authorizer as well. */
async function remembered(): Promise<string> {
  const value = `s${sessions++}`;
  ory.session(value, 'ada');
  await until('Envoy says yes by what it remembers', async () => {
    const before = await hits();
    expect(await status(value)).toBe(200);
    return (await hits()) > before;
  });
  return value;
}

describe(attack('filter-files'), () => {
  describe('a revocation', () => {
    it('ends what every worker remembers before it is answered', async () => {
      const took: number[] = [];
      for (let i = 0; i < 10; i++) {
        const value = await remembered();
        ory.revoke(value);
        expect(await status(value)).toBe(200);
        const began = performance.now();
        expect(await edge.authorizer.revoke({ kind: 'all' })).toEqual({ edgeCaches: 'emptied', rememberedForMs: 0 });
        took.push(Math.round(performance.now() - began));
        expect(new Set(await statuses(value))).toEqual(new Set([401]));
      }
      process.stdout.write(`a revocation is answered after ${took.join(', ')} ms\n`);
    });

    it('is not answered before the last worker has forgotten', async () => {
      await edge.close();
      edge = await startFedEdge(remembering(), { concurrency: 1, patch: withSpinning });
      const value = await remembered();
      let free = false;
      const spinning = send(edge.url, 'HTTP/1.1', { path: '/public/x', headers: [['x-spin', '1']] }).then(() => {
        free = true;
      });
      await until(
        'the worker is busy',
        async () => (await counter(edge.envoy(), 'http.edge.downstream_rq_active')) > 0,
      );
      await edge.authorizer.revoke({ kind: 'all' });
      // Envoy's main thread has it long before.
      await until('the answer is there', () => free, 100);
      ory.revoke(value);
      await spinning;
    });

    it('that Envoy is not there for is an error, and the next Envoy begins with nothing', async () => {
      const value = await remembered();
      edge.envoy().kill();
      await edge.envoy().exited;
      await expect(edge.authorizer.revoke({ kind: 'all' })).rejects.toThrow(/^Envoy does not answer at http:/);
      expect(edge.log.join('\n')).toMatch(/Envoy does not answer at .*: it is tried again/);
      ory.revoke(value);
      await edge.startEnvoy();
      expect(await status(value)).toBe(401);
      await until('it is mended', () => edge.log.some((line) => line.startsWith('Envoy has what it was given')));
      expect(await edge.authorizer.revoke({ kind: 'all' })).toMatchObject({ edgeCaches: 'emptied' });
    });

    it('that an Envoy in a standstill does not take is an error within its bound, and is in force once it goes on', async () => {
      const value = await remembered();
      ory.revoke(value);
      process.kill(edge.envoy().pid, 'SIGSTOP');
      const began = performance.now();
      try {
        await expect(edge.authorizer.revoke({ kind: 'all' })).rejects.toThrow(/Envoy did|not every worker/);
        expect(performance.now() - began).toBeLessThan(3_000);
      } finally {
        process.kill(edge.envoy().pid, 'SIGCONT');
      }
      await until('it is in force', async () => (await status(value)) === 401);
    });

    it('whose file cannot be written is an error, and is in force once it can', async () => {
      await edge.close();
      edge = await startFedEdge(remembering(), { concurrency: 1 });
      const value = await remembered();
      ory.revoke(value);
      // A folder in its place: also for root, nothing can be renamed onto it.
      const path = join(edge.folder, await script());
      await rm(path);
      await mkdir(join(path, 'x'), { recursive: true });
      await expect(edge.authorizer.revoke({ kind: 'all' })).rejects.toThrow(/cannot be written \(\w+\)/);
      expect(await status(value)).toBe(200);
      await rm(path, { recursive: true });
      await until('it is in force', async () => (await status(value)) === 401);
      expect((await readdir(edge.folder)).filter((name) => name.endsWith('.new'))).toEqual([]);
    });

    it('many at one time are two pushes at most', async () => {
      await remembered();
      const reloads = async () => {
        const name = `extension_config_discovery.http_filter.${(await script()).replace('.json', '')}.config_reload`;
        return (await readStats(edge.envoy().adminUrl, name)).number(name);
      };
      const before = await reloads();
      await Promise.all(Array.from({ length: 200 }, () => edge.authorizer.revoke({ kind: 'all' })));
      expect((await reloads()) - before).toBeLessThanOrEqual(2);
    });
  });

  describe('an Envoy of another configuration', () => {
    it('is no Envoy that was emptied', async () => {
      const other = await FilterFeed.open({
        folder: join(edge.folder, 'other'),
        admin: edge.config.edge.admin,
        log: { info() {}, warn() {}, error() {} },
      });
      const config = { ...edge.config, cache: { ...edge.config.cache, edgeTtlMs: 1_000 } };
      await other.replace([{ plan: makePlan(config), keys: undefined }]);
      await expect(other.empty()).rejects.toThrow(/no filter that reads its script from here/);
      other.close();
    });
  });

  describe('a file that somebody else broke', () => {
    it.each([
      ['no JSON', '{'],
      ['another resource', '{"version_info":"1","resources":[]}'],
    ])('(%s) changes nothing in Envoy, and is put right by the next push', async (_, text) => {
      const value = await remembered();
      await writeFile(join(edge.folder, 'x'), text);
      await writeFile(join(edge.folder, await script()), text);
      expect(await status(value)).toBe(200);
      await edge.authorizer.revoke({ kind: 'all' });
      ory.revoke(value);
      await edge.authorizer.revoke({ kind: 'all' });
      expect(await status(value)).toBe(401);
    });

    it('before Envoy starts means that the authorizer is asked, until it is put right', async () => {
      await edge.envoy().stop();
      for (const name of [await script(), await keysFile()]) await writeFile(join(edge.folder, name), '{');
      await edge.startEnvoy();
      ory.session('late', 'ada');
      for (let i = 0; i < 3; i++) expect(await status('late')).toBe(200);
      expect(await hits()).toBe(0);
      await edge.authorizer.revoke({ kind: 'all' });
      await remembered();
    });
  });

  describe('what Envoy refuses', () => {
    it('is not gone by in part: keys that it refuses leave it none, so that the authorizer is asked', async () => {
      const { name, file } = {
        name: (await keysFile()).replace('.json', ''),
        file: join(edge.folder, await keysFile()),
      };
      let tell = (_: string) => {};
      await edge.feed.replace([
        {
          plan: makePlan(edge.config),
          keys: {
            watch: (one) => {
              tell = one;
              return () => {};
            },
            refresh: async () => {},
          },
        },
      ]);
      tell('{"keys":[{"kty":"EC","kid":"k","crv":"P-256","x":"AAAA","y":"AAAA"}]}');
      await until('it is said', () =>
        edge.log.some((line) => line.startsWith(`Envoy refused the new content of ${name}`)),
      );
      await until('Envoy has none', async () => !(await readFile(file, 'utf8')).includes('local_jwks'));
      expect(edge.envoyLog.join('\n')).toMatch(/invalid local jwks/);
      const stats = await readStats(edge.envoy().adminUrl, `${name}.*version_text`);
      const held = stats.text(`extension_config_discovery.http_filter.${name}.version_text`);
      expect(await readFile(file, 'utf8')).toContain(`"version_info":"${held}"`);
    });
  });

  describe('a thousand pushes', () => {
    it('drop no connection and leave Envoy no larger', async () => {
      const loads = (['HTTP/1.1', 'HTTP/2'] as const).map((protocol) =>
        startLoad(edge.url, protocol, 2, ['/public/x']),
      );
      const sizeKiB = async () =>
        Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${edge.envoy().pid}/status`, 'utf8'))?.[1]);
      const push = async (times: number) => {
        for (let i = 0; i < times; i++) await edge.feed.empty();
      };
      await push(200);
      const before = await sizeKiB();
      const began = performance.now();
      await push(1_000);
      const each = (performance.now() - began) / 1_000;
      const after = await sizeKiB();
      await Promise.all(loads.map((load) => load.stop()));
      process.stdout.write(
        `1,000 pushes, ${each.toFixed(1)} ms each: Envoy ${before} KiB before, ${after} KiB after\n`,
      );
      for (const load of loads) {
        expect(load.failures).toEqual([]);
        expect([...load.statuses.keys()]).toEqual([200]);
        expect(load.connections()).toBe(2);
      }
      expect(after - before).toBeLessThan(8_192);
    }, 120_000);
  });

  describe('the folder', () => {
    it('that others may write is refused, and one that they may read makes files that they may read', async () => {
      const folder = join(edge.folder, 'shared');
      const open = () =>
        FilterFeed.open({ folder, admin: edge.config.edge.admin, log: { info() {}, warn() {}, error() {} } });
      await mkdir(folder);
      await chmod(folder, 0o770);
      await expect(open()).rejects.toThrow(FilterFolderError);
      await chmod(folder, 0o750);
      const feed = await open();
      await feed.replace([{ plan: makePlan(edge.config), keys: undefined }]);
      for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o640);
      feed.close();
    });

    it('keeps no file that leads elsewhere or that others may write, whatever stands in it', async () => {
      const folder = join(edge.folder, 'planted');
      const open = () =>
        FilterFeed.open({ folder, admin: edge.config.edge.admin, log: { info() {}, warn() {}, error() {} } });
      const policies = [{ plan: makePlan(edge.config), keys: undefined }];
      const before = await open();
      await before.replace(policies);
      before.close();
      const names = await readdir(folder);
      const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
      const target = join(edge.folder, 'target');
      const plants: ((path: string, text: string) => Promise<void>)[] = [
        async (path, text) => {
          await writeFile(target, text);
          await symlink(target, path);
        },
        async (path, text) => {
          await writeFile(target, text);
          await link(target, path);
        },
        async (path, text) => {
          await writeFile(path, text);
          await chmod(path, 0o666);
        },
      ];
      for (const plant of plants) {
        for (const [i, name] of names.entries()) {
          await rm(target, { force: true });
          await rm(join(folder, name), { force: true });
          await plant(join(folder, name), texts[i] ?? '');
          const feed = await open();
          await feed.replace(policies);
          feed.close();
          const { nlink, mode } = await lstat(join(folder, name));
          expect([(await lstat(join(folder, name))).isFile(), nlink, mode & 0o777]).toEqual([true, 1, 0o600]);
          expect(await readFile(join(folder, name), 'utf8')).not.toBe(texts[i]);
        }
      }
    });

    it('has no keys and no memory for an Envoy of the configuration before', async () => {
      const value = await remembered();
      const [keys, cache] = [await keysFile(), await script()];
      expect(await readFile(join(edge.folder, keys), 'utf8')).toContain('local_jwks');
      edge.feed.close();
      const log: string[] = [];
      const write = (fields: object) => void log.push(JSON.stringify(fields));
      const again = await FilterFeed.open({
        folder: edge.folder,
        admin: edge.config.edge.admin,
        log: { info: write, warn: write, error: write },
      });
      const tokens = edge.config.tokens && { ...edge.config.tokens, clockSkewMs: 9_000 };
      const config = { ...edge.config, tokens, cache: { ...edge.config.cache, edgeTtlMs: 1_000 } };
      await again.replace([{ plan: makePlan(config), keys: undefined }]);
      expect((await readdir(edge.folder)).filter((name) => name.endsWith('.json'))).toHaveLength(4);
      expect(await readFile(join(edge.folder, keys), 'utf8')).not.toContain('local_jwks');
      for (const name of [keys, cache]) expect(log.join()).toContain(name.replace('.json', ''));
      ory.revoke(value);
      await expect(again.empty()).rejects.toThrow(/no filter that reads its script from here/);
      await edge.authorizer.revoke({ kind: 'all' }).catch(() => {});
      await until('nobody is let in any more', async () => new Set(await statuses(value)).size === 1);
      expect(await status(value)).toBe(401);
      again.close();
    });

    it('keeps what it has over a restart of the authorizer, so that Envoy goes on with it', async () => {
      const value = await remembered();
      const text = await readFile(join(edge.folder, await script()), 'utf8');
      edge.feed.close();
      const again = await FilterFeed.open({
        folder: edge.folder,
        admin: edge.config.edge.admin,
        log: { info() {}, warn() {}, error() {} },
      });
      await again.replace([{ plan: makePlan(edge.config), keys: undefined }]);
      expect(await readFile(join(edge.folder, await script()), 'utf8')).toBe(text);
      const before = await hits();
      await until('Envoy still remembers', async () => {
        await status(value);
        return (await hits()) > before;
      });
      await again.empty();
      expect(await status(value)).toBe(200);
      // Of the new script, whose counters begin anew.
      expect(await counter(edge.envoy(), 'http.edge.lua.edge_cache.misses')).toBe(1);
      again.close();
    });
  });
});
