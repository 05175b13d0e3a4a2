// Every object that is generated for Kubernetes is one that an API server takes: of all examples and of the table's
// policies, for the oldest and the newest version of each target.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { VERSIONS } from '../../src/generate/target.ts';
import { generatedStream, Refused } from '../targets/generated.ts';
import { SHEETS } from '../targets/table.ts';
import { checkObjects } from './crds.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-crds-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const examples = readdirSync(EXAMPLES)
  .filter((name) => name.endsWith('.yaml') && !name.endsWith('.cases.yaml'))
  .map((name): [string, Policy] => [name, parse(readFileSync(join(EXAMPLES, name), 'utf8')) as Policy]);
const tables = SHEETS.map(({ name, policy }): [string, Policy] => [name, policy]);
const policies = [...examples, ...tables].map(([name, policy]) => [name, inCluster(policy)] as const);

type Policy = Readonly<Record<string, unknown>>;

/** With addresses that mean something in a cluster, and without what is below `ory_path`, which has no place there. */
function inCluster(policy: Policy): Policy {
  const text = JSON.stringify(policy).replaceAll(/127\.0\.0\.1:(\d+)/g, 'port-$1.shop.svc.cluster.local:$1');
  const { edge, ...rest } = JSON.parse(text) as Record<string, Record<string, unknown>>;
  const { ory_path: _, listen: _1, admin: _2, authorizer: _3, ...kept } = edge ?? {};
  const upstream = kept['upstreams'] ? {} : { upstream: 'http://web.shop.svc.cluster.local:3000' };
  return { ...rest, edge: { public_url: 'https://edge.test', ...upstream, ...kept } };
}

const SIDECAR = ['--mode', 'sidecar', '--selector', 'app=web', '--namespace', 'shop'];
const GATEWAY_API = ['--mode', 'gateway', '--selector', 'gateway/public', '--namespace', 'edge'];
const { istio, 'envoy-gateway': gateway } = VERSIONS;
const WAYS = [
  { target: 'istio', flags: SIDECAR, versions: [istio.oldest, istio.newest] },
  { target: 'istio', flags: [...SIDECAR, '--edge-cache'], versions: [istio.newest] },
  { target: 'istio', flags: ['--mode', 'gateway'], versions: [istio.newest] },
  { target: 'istio', flags: GATEWAY_API, versions: [istio.oldest] },
  { target: 'envoy-gateway', flags: [], versions: [gateway.oldest, gateway.newest] },
  { target: 'envoy-gateway', flags: ['--namespace', 'edge'], versions: [gateway.newest] },
] as const;

const NOTHING_TO_REMEMBER = /--edge-cache: (?:nothing is remembered here|this policy asks nobody)/;

describe.each(WAYS)('generate $target $flags', ({ target, flags, versions }) => {
  it.each(versions)('for %s', async (version) => {
    const refused: string[] = [];
    const streams: string[] = [];
    for (const [name, policy] of policies) {
      try {
        streams.push(await generatedStream({ dir, policy }, target, [...flags, '--target-version', version]));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused.push(`${name}: ${error.message}`);
      }
    }
    // The one reason: there is nothing to remember.
    expect(refused.filter((text) => !NOTHING_TO_REMEMBER.test(text))).toEqual([]);
    const checked = await checkObjects(streams.join('---\n'));
    expect(checked.filter(({ faults }) => faults.length > 0)).toEqual([]);
    expect(checked.length).toBeGreaterThan(3 * streams.length);
  });
});
