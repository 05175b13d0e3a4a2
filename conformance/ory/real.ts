// The real Kratos and Hydra, each as a process with a SQLite file in a temporary folder. Files, processes, network.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../ports.ts';
import { authorizeByAdminApi } from './authorize-real.ts';
import { buildServer } from './build.ts';
import { connect, cookieName, testKeySet } from './client.ts';
import type { OryOptions, RealOry, ServerProcess } from './ory.ts';
import { cleanEnvironment, startProgram } from './server-process.ts';

const run = promisify(execFile);
const secret = 'not-a-secret-of-anyone-anywhere!';

/** @throws {ToolMissing} where the servers can not be built */
export async function startRealOry(options: OryOptions = {}): Promise<RealOry> {
  const kratosProgram = await buildServer('kratos');
  const hydraProgram = await buildServer('hydra');
  const folder = await mkdtemp(join(tmpdir(), 'ory-envoy-'));
  const started: ServerProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [a = 0, b = 0, c = 0, d = 0] = await freePorts(4);
    const kratos = { publicUrl: `http://127.0.0.1:${a}`, adminUrl: `http://127.0.0.1:${b}` };
    const hydra = { publicUrl: `http://127.0.0.1:${c}`, adminUrl: `http://127.0.0.1:${d}` };
    // One after the other: where one fails, whatever has been started is known and ended.
    const kratosProcess = await startKratos(kratosProgram, folder, [a, b], options);
    started.push(kratosProcess);
    const hydraProcess = await startHydra(hydraProgram, folder, [c, d]);
    started.push(hydraProcess);
    const issuer = `${hydra.publicUrl}/`;
    const authorize = authorizeByAdminApi(hydra.adminUrl);
    const ory = await connect({ name: 'real Ory', kratos, hydra: { ...hydra, issuer } }, authorize);
    // Hydra makes its keys when they are first needed, which takes seconds on a busy machine: not in the middle of a test.
    await ory.accessToken();
    await (await fetch(`${hydra.publicUrl}/.well-known/jwks.json`)).arrayBuffer();
    return { ...ory, close, processes: { kratos: kratosProcess, hydra: hydraProcess } };
  } catch (error) {
    await close();
    throw error;
  }
}

type Ports = readonly [publicPort: number, adminPort: number];

async function startKratos(program: string, folder: string, ports: Ports, options: OryOptions): Promise<ServerProcess> {
  const [publicPort, adminPort] = ports;
  const publicUrl = `http://127.0.0.1:${publicPort}`;
  const uiUrl = options.loginUiUrl ?? publicUrl;
  const requiredAal = options.requiredAal ?? 'highest_available';
  const schemaFile = join(folder, 'person.schema.json');
  await writeFile(schemaFile, JSON.stringify(personSchema));
  const config = {
    dsn: sqlite(folder, 'kratos'),
    serve: {
      public: { host: '127.0.0.1', port: publicPort, base_url: options.kratosBaseUrl ?? `${publicUrl}/` },
      admin: { host: '127.0.0.1', port: adminPort, base_url: `http://127.0.0.1:${adminPort}/` },
    },
    selfservice: {
      default_browser_return_url: `${publicUrl}/ui`,
      allowed_return_urls: [publicUrl, ...(options.returnUrls ?? [])],
      methods: {
        password: { enabled: true, config: { haveibeenpwned_enabled: false } },
        totp: { enabled: true, config: { issuer: 'ory-envoy' } },
      },
      flows: {
        error: { ui_url: `${uiUrl}/error` },
        login: { ui_url: `${uiUrl}/login` },
        settings: {
          ui_url: `${uiUrl}/settings`,
          required_aal: requiredAal,
          after: { password: { hooks: options.afterPasswordChange ?? [] } },
        },
      },
    },
    session: {
      lifespan: `${options.sessionLifespanSeconds ?? 24 * 60 * 60}s`,
      cookie: { name: cookieName },
      whoami: { required_aal: requiredAal },
    },
    identity: { default_schema_id: 'person', schemas: [{ id: 'person', url: `file://${schemaFile}` }] },
    hashers: { algorithm: 'bcrypt', bcrypt: { cost: 4 } },
    secrets: { cookie: [secret], cipher: [secret] },
    courier: { smtp: { connection_uri: 'smtp://nobody:nothing@127.0.0.1:1/?disable_starttls=true' } },
    log: { level: 'error' },
  };
  const file = join(folder, 'kratos.json');
  await writeFile(file, JSON.stringify(config));
  await run(program, ['migrate', 'sql', '-e', '-y', '-c', file], { env: cleanEnvironment() });
  return startProgram({
    name: 'Kratos',
    path: program,
    args: ['serve', '-c', file, '--dev', '--sqa-opt-out'],
    logFile: join(folder, 'kratos.log'),
    readyUrls: [`${publicUrl}/health/ready`, `http://127.0.0.1:${adminPort}/admin/health/ready`],
  });
}

async function startHydra(program: string, folder: string, [publicPort, adminPort]: Ports): Promise<ServerProcess> {
  const publicUrl = `http://127.0.0.1:${publicPort}`;
  const config = {
    dsn: sqlite(folder, 'hydra'),
    serve: {
      public: { host: '127.0.0.1', port: publicPort },
      admin: { host: '127.0.0.1', port: adminPort },
    },
    urls: { self: { issuer: `${publicUrl}/` } },
    secrets: { system: [secret] },
    strategies: { access_token: 'jwt' },
    ttl: { access_token: '1h' },
    webfinger: {
      jwks: { broadcast_keys: ['hydra.openid.id-token', testKeySet] },
      oidc_discovery: { client_registration_url: `${publicUrl}/oauth2/register` },
    },
    oauth2: { pkce: { enforced_for_public_clients: true } },
    oidc: { dynamic_client_registration: { enabled: true } },
    log: { level: 'error' },
  };
  const file = join(folder, 'hydra.json');
  await writeFile(file, JSON.stringify(config));
  await run(program, ['migrate', 'sql', '-e', '-y', '-c', file], { env: cleanEnvironment() });
  return startProgram({
    name: 'Hydra',
    path: program,
    args: ['serve', 'all', '-c', file, '--dev', '--sqa-opt-out'],
    logFile: join(folder, 'hydra.log'),
    readyUrls: [`${publicUrl}/health/ready`, `http://127.0.0.1:${adminPort}/health/ready`],
  });
}

function sqlite(folder: string, name: string): string {
  return `sqlite://${join(folder, `${name}.sqlite`)}?_fk=true&mode=rwc`;
}

const personSchema = {
  $id: 'person',
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Person',
  type: 'object',
  properties: {
    traits: {
      type: 'object',
      properties: {
        email: {
          type: 'string',
          format: 'email',
          'ory.sh/kratos': {
            credentials: { password: { identifier: true }, totp: { account_name: true } },
            verification: { via: 'email' },
          },
        },
        name: { type: ['string', 'object'] },
      },
      required: ['email'],
      additionalProperties: true,
    },
  },
};
