// TLS on both sides of a real Envoy, JSON Web Keys, the parts laid into another bootstrap, and an Ory Network address.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { connect as connectH2 } from 'node:http2';
import { createServer as createHttps, get as getHttps, type Server } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTls, type SecureVersion, type TLSSocket } from 'node:tls';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { generate as generateCertificate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy, PARTS } from '../../src/generate/envoy/emit.ts';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { until } from '../until.ts';
import { allow, closeServer, get, headerOf, portOf, type Rig, startRig } from './envoy-rig.ts';

const RULES = `
rules:
  - { name: assets, match: { path: "/assets/**" }, allow: anyone }
  - { name: app, match: { path: "/app/**" }, require: { session: {} } }
`;

let folder: string;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ory-envoy-tls-'));
  await certify('localhost', { type: 2, value: 'localhost' });
  await certify('other', { type: 2, value: 'other.example' });
  await certify('address', { type: 7, ip: '127.0.0.1' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function certify(name: string, san: { type: 2; value: string } | { type: 7; ip: string }): Promise<void> {
  const pem = await generateCertificate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 2 * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [san] },
    ],
  });
  writeFileSync(file(`${name}.key`), pem.private);
  writeFileSync(file(`${name}.crt`), pem.cert);
}

describe('downstream TLS', () => {
  let rig: Rig;
  beforeAll(async () => {
    const edge = `  tls: { cert: ${file('localhost.crt')}, key: ${file('localhost.key')} }`;
    rig = await startRig({ config: RULES, edge });
  });
  afterAll(() => rig?.close());

  function handshake(alpn: string[], maxVersion: SecureVersion = 'TLSv1.3'): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connectTls(
        {
          port: rig.port,
          host: '127.0.0.1',
          servername: 'localhost',
          ca: readFileSync(file('localhost.crt')),
          ALPNProtocols: alpn,
          minVersion: 'TLSv1',
          maxVersion,
          ciphers: 'DEFAULT@SECLEVEL=0',
        },
        () => resolve(socket),
      );
      socket.on('error', reject);
    });
  }

  test.each([
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
  ])('a client that speaks %s gets %s', async (offered, chosen) => {
    const socket = await handshake(offered);
    expect([socket.alpnProtocol, socket.authorized]).toEqual([chosen, true]);
    socket.destroy();
  });

  test('nothing older than TLS 1.2 is spoken', async () => {
    (await handshake(['http/1.1'], 'TLSv1.2')).destroy();
    await expect(handshake(['http/1.1'], 'TLSv1.1')).rejects.toThrow();
  });

  test('requests are judged over both protocols, and the application learns of https', async () => {
    rig.answer = allow({ 'x-user-id': 'alice' });
    const ca = readFileSync(file('localhost.crt'));
    const overH1 = await new Promise<string>((resolve, reject) => {
      getHttps(
        { port: rig.port, path: '/app/x', servername: 'localhost', host: '127.0.0.1', ca, agent: false },
        (response) => {
          response.setEncoding('utf8').on('data', resolve);
        },
      ).on('error', reject);
    });
    const session = connectH2(`https://localhost:${rig.port}`, {
      ca,
      lookup: (_, __, done) => done(null, [{ address: '127.0.0.1', family: 4 }] as never, 4),
    });
    const stream = session.request({ ':path': '/app/x', 'x-user-id': 'mallory' });
    let overH2 = '';
    for await (const chunk of stream) overH2 += chunk;
    session.destroy();
    for (const text of [overH1, overH2]) {
      const seen = JSON.parse(text);
      expect([headerOf(seen, 'x-user-id'), headerOf(seen, 'x-forwarded-proto')]).toEqual([['alice'], ['https']]);
    }
  });
});

describe('TLS to an upstream', () => {
  const names: string[] = [];
  let server: Server;

  async function answerOf(certificate: string, host: string, caFile: string): Promise<number> {
    server = createHttps(
      {
        cert: readFileSync(file(`${certificate}.crt`)),
        key: readFileSync(file(`${certificate}.key`)),
        SNICallback: (name, done) => {
          names.push(name);
          done(null);
        },
      },
      (_, response) => response.end('hello'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const rig = await startRig({
      config: RULES,
      caFile,
      upstreams: ['app'],
      upstreamUrls: { app: `https://${host}:${portOf(server)}` },
    });
    try {
      return (await get(rig.port, '/assets/x')).status;
    } finally {
      await rig.close();
      await closeServer(server);
    }
  }

  test('is verified by name, which is sent as SNI', async () => {
    expect(await answerOf('localhost', 'localhost', file('localhost.crt'))).toBe(200);
    expect(names.splice(0)).toEqual(['localhost']);
  });

  test('is verified by address where it has no name, and no SNI is sent', async () => {
    expect(await answerOf('address', '127.0.0.1', file('address.crt'))).toBe(200);
    expect(names.splice(0)).toEqual([]);
  });

  test('fails where the certificate is for another name', async () => {
    expect(await answerOf('other', 'localhost', file('other.crt'))).toBe(503);
  });

  test('fails where nobody known signed the certificate', async () => {
    expect(await answerOf('localhost', 'localhost', file('other.crt'))).toBe(503);
  });
});

describe.each(TRANSPORTS)('TLS to an authorizer that is asked over %s', (transport) => {
  async function answerOf(certificate: string): Promise<[number, string[], (string | false | null)[]]> {
    const spoken: (string | false | null)[] = [];
    const terminator = createTls({
      cert: readFileSync(file(`${certificate}.crt`)),
      key: readFileSync(file(`${certificate}.key`)),
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    const rig = await startRig({
      config: RULES,
      transport,
      caFile: file('localhost.crt'),
      authorizerUrl: async (port) => {
        terminator.on('secureConnection', (socket) => {
          spoken.push(socket.alpnProtocol);
          const onward = connectTcp(port, '127.0.0.1');
          for (const end of [socket, onward]) end.on('error', () => end.destroy());
          socket.pipe(onward).pipe(socket);
        });
        await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve));
        return `https://localhost:${portOf(terminator)}`;
      },
    });
    try {
      rig.answer = allow({ 'x-user-id': 'alice' });
      const answer = await get(rig.port, '/app/x');
      const users = answer.status === 200 ? headerOf(JSON.parse(answer.body), 'x-user-id') : [];
      return [answer.status, users, spoken];
    } finally {
      await rig.close();
      terminator.close();
    }
  }

  test('it is verified by name, and speaks the protocol of the transport', async () => {
    expect(await answerOf('localhost')).toEqual([200, ['alice'], [transport === 'http' ? 'http/1.1' : 'h2']]);
  });

  test('a stranger in its place lets nobody in', async () => {
    expect((await answerOf('other')).slice(0, 2)).toEqual([503, []]);
  });
});

test('keys are fetched ahead of time, a token is verified, and the authorizer is asked all the same', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  let fetches = 0;
  const issuer = createHttp((_, response) => {
    fetches += 1;
    void exportJWK(publicKey).then((jwk) =>
      response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'k', alg: 'ES256' }] })),
    );
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const rig = await startRig({
    config: `
tokens: { audiences: [https://api.acme.com] }
rules:
  - { name: api, match: { path: "/api/**" }, require: { token: {} } }
  - { name: app, match: { path: "/app/**" }, require: { session: {} } }
`,
    ory: `ory: { hydra: { issuer: "https://issuer.example/", jwks_url: "http://127.0.0.1:${portOf(issuer)}/keys" }, kratos: { public_url: "http://127.0.0.1:1" } }`,
    patch: (yaml) =>
      yaml.replace(/^( *)upstream: '%UPSTREAM_HOST%'/gm, "$1jwt: '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn)%'"),
  });
  const sign = (audience: string, iss: string, expires = true) => {
    const token = new SignJWT({ scope: 'a b' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setAudience(audience)
      .setIssuer(iss);
    return (expires ? token.setExpirationTime('1h') : token).sign(privateKey);
  };
  const send = async (target: string, token: string) => {
    const lines = rig.accessLog.length;
    const answer = await get(rig.port, target, token === '' ? [] : [`authorization: Bearer ${token}`]);
    expect(answer.status).toBe(200);
    if (token !== '') expect(headerOf(JSON.parse(answer.body), 'authorization')).toEqual([`Bearer ${token}`]);
    expect(headerOf(rig.checks.at(-1) ?? { headers: [] }, 'authorization')).toEqual(
      token === '' ? [] : [`Bearer ${token}`],
    );
    await until('the access log', () => rig.accessLog.length > lines);
    return rig.accessLog.at(-1)?.['jwt'] ?? null;
  };
  try {
    await until('the keys', () => fetches === 1);
    const good = await sign('https://api.acme.com', 'https://issuer.example/');
    expect(await send('/api/x', good)).toMatchObject({
      payload: { iss: 'https://issuer.example/', scope: ['a', 'b'] },
      header: { alg: 'ES256', kid: 'k' },
    });
    const bad = [
      await sign('https://other', 'https://issuer.example/'),
      await sign('https://api.acme.com', 'https://issuer.example'),
      await sign('https://api.acme.com', 'https://issuer.example/', false),
      'garbage',
      'a.b.c',
    ];
    for (const token of bad) expect(await send('/api/x', token)).not.toHaveProperty('payload');
    expect(await send(`/api/x?access_token=${good}`, '')).not.toHaveProperty('payload');
    expect(await send('/app/x', good)).toBeNull();
    expect([rig.checks.length, fetches]).toEqual([bad.length + 3, 1]);
  } finally {
    await rig.close();
    await closeServer(issuer);
  }
});

test('an issuer that never answers does not keep the edge from starting', async () => {
  const issuer = createHttp(() => {});
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const rig = await startRig({
    config: 'tokens: { any_audience: true }\nrules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]',
    ory: `ory: { hydra: { public_url: "http://127.0.0.1:${portOf(issuer)}", issuer: x }, timeout: 60s }`,
  });
  try {
    expect((await get(rig.port, '/api', ['authorization: Bearer a.b.c'])).status).toBe(200);
  } finally {
    await rig.close();
    await closeServer(issuer);
  }
});

const NETWORK = `
ory: { url: https://acme.projects.oryapis.com }
tokens: { audiences: [https://api.acme.com] }
edge: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, upstream: http://localhost:9, authorizer: http://127.0.0.1:9 }
`;

test('with an Ory Network address that cannot be reached the edge runs, and answers', async () => {
  const config = parseConfig(`${NETWORK}${RULES.replace('session: {}', 'token: {}')}`, 'network.yaml', { env: {} });
  const envoy = await startEnvoy({
    path: (await findEnvoy()).path,
    config: generateEnvoy(config, { part: 'bootstrap' }),
    concurrency: 1,
  });
  try {
    expect((await get(envoy.listenPort, '/app/x')).status).toBe(503);
    expect((await get(envoy.listenPort, '/app/%2f')).status).toBe(400);
    expect((await get(envoy.listenPort, '/assets/x')).status).toBe(503);
  } finally {
    await envoy.stop();
  }
});

test.each(TRANSPORTS)('the parts, laid into another bootstrap, make the same edge over %s', async (transport) => {
  const rig = await startRig({ config: RULES, transport });
  const [app, authorizer] = [rig.applicationPorts[0], rig.authorizer.port];
  const config = parseConfig(
    `ory: { url: http://127.0.0.1:1 }\nedge: { upstream: http://127.0.0.1:${app}, authorizer: http://127.0.0.1:${authorizer} }\nserve: { grpc: "127.0.0.1:${authorizer}" }\n${RULES}`,
    'parts.yaml',
    { env: {} },
  );
  const part = Object.fromEntries(PARTS.map((name) => [name, parse(generateEnvoy(config, { part: name, transport }))]));
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'own',
    ...part['filters'],
    ...part['routes'],
  };
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  const envoy = await startEnvoy({
    path: (await findEnvoy()).path,
    concurrency: 1,
    config: JSON.stringify({
      admin: { address },
      static_resources: {
        listeners: [
          {
            address,
            filter_chains: [
              { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
            ],
          },
        ],
        ...part['clusters'],
      },
    }),
  });
  try {
    rig.answer = allow({ 'x-user-id': 'alice' });
    const answer = await get(envoy.listenPort, '/app/x', ['x-user-id: mallory']);
    expect(headerOf(JSON.parse(answer.body), 'x-user-id')).toEqual(['alice']);
    expect((await get(envoy.listenPort, '/app/%2f')).status).toBe(400);
  } finally {
    await envoy.stop();
    await rig.close();
  }
});
