// What stands behind an edge of any target: a development Ory, an application and `ory-envoy serve`. Starts
// processes, opens sockets on loopback, writes a temporary folder.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startDevOry } from '../../src/dev/ory.ts';
import { serveProcess } from '../edge/rig/serve-process.ts';
import { freePorts } from '../ports.ts';
import { startSeeingApp } from './app.ts';
import type { Backing } from './target.ts';

/** Whatever the edge listens on: redirects and challenges are the same on every target. */
const PUBLIC_URL = 'https://edge.test';
/** As `up` has them for its own Ory and application: a policy that names them can be tried with it as it stands. */
const ORY_URL = 'http://127.0.0.1:4455';
const APP_URL = 'http://127.0.0.1:4456';

export interface RunningBacking extends Backing {
  /** The policy's file, as `-c` takes it. */
  readonly file: string;
  /** From then on nobody answers where it was. */
  endAuthorizer(): Promise<void>;
  /** What the authorizer has written. */
  log(): string;
  close(): Promise<void>;
}

/**
 * @param policy as an `ory-envoy.yaml` says it; the addresses that `up` has for its development Ory and its demo
 * application become those of this run; `edge.public_url`, `edge.upstream` and `serve` are filled in.
 */
export async function startBacking(policy: Readonly<Record<string, unknown>>): Promise<RunningBacking> {
  const [http = 0, grpc = 0, admin = 0] = await freePorts(3);
  const ory = await startDevOry({ port: 0, audience: [], requiredAal: 'aal1' });
  const closing = [() => ory.close()];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-target-'));
    closing.push(async () => rmSync(dir, { recursive: true, force: true }));
    const app = await startSeeingApp();
    closing.push(() => app.close());
    const placed = JSON.stringify(policy)
      .replaceAll(ORY_URL, ory.url)
      .replaceAll(APP_URL, `http://127.0.0.1:${app.port}`);
    const { edge, ...rest } = JSON.parse(placed) as Record<string, unknown>;
    const whole = {
      ...rest,
      edge: { public_url: PUBLIC_URL, upstream: `http://127.0.0.1:${app.port}`, ...(edge as object | undefined) },
      serve: { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${grpc}`, admin: `127.0.0.1:${admin}` },
    };
    const file = join(dir, 'ory-envoy.yaml');
    writeFileSync(file, stringify(whole));
    const authorizer = serveProcess(file, `127.0.0.1:${admin}`);
    closing.push(() => authorizer.kill());
    await authorizer.start();
    const ports = { app: app.port, ory: Number(new URL(ory.url).port), http, grpc };
    return { dir, file, policy: whole, ports, endAuthorizer: authorizer.kill, log: authorizer.log, close };
  } catch (error) {
    await close();
    throw error;
  }
}
