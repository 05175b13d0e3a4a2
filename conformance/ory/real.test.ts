// The contract of an Ory, on the real Kratos and Hydra, and how they behave as processes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingTool } from './build.ts';
import { describeOry } from './contract.ts';
import type { RealOry } from './ory.ts';
import { startRealOry } from './real.ts';
import { whoami, whoamiStatus } from './whoami.ts';

/** Built before the suites are laid out: without the tools there is one skipped test whose name says what is missing. */
const missing = await missingTool();

if (missing === undefined) {
  describeOry('the real Ory', startRealOry);
  describe('the real Ory as processes', describeProcesses);
} else {
  describe('the real Ory', () => {
    test.skip(missing, () => undefined);
  });
}

describe('the real Kratos under another address', () => {
  if (missing !== undefined) return test.skip(missing, () => undefined);
  test('writes that address into what it answers, as the development Ory does where it is asked to', async () => {
    const kratosBaseUrl = 'http://127.0.0.1:8080/.ory';
    const ory = await startRealOry({ kratosBaseUrl });
    try {
      const flow = await fetch(`${ory.kratos.publicUrl}/self-service/login/api`);
      expect(await flow.json()).toMatchObject({
        ui: { action: expect.stringMatching(/^http:\/\/127\.0\.0\.1:8080\/\.ory\/self-service\/login\?flow=/) },
      });
      const { token } = await ory.login(await ory.createPersonWithTotp());
      const { body } = await whoami(ory, [['X-Session-Token', token]]);
      expect(body).toMatchObject({ redirect_browser_to: `${kratosBaseUrl}/self-service/login/browser?aal=aal2` });
    } finally {
      await ory.close();
    }
  });
});

function describeProcesses(): void {
  let ory: RealOry;
  beforeAll(async () => {
    ory = await startRealOry();
  });
  afterAll(async () => {
    await ory?.close();
  });

  test('a Kratos that was killed refuses connections, and comes back with its sessions', async () => {
    const { token } = await ory.login(await ory.createPerson());
    await ory.processes.kratos.kill();
    await expect(whoamiStatus(ory, ['X-Session-Token', token])).rejects.toThrow('ECONNREFUSED');
    await ory.processes.kratos.start();
    expect(await whoamiStatus(ory, ['X-Session-Token', token])).toBe(200);
  });

  test('a Hydra that was killed comes back with its keys and clients', async () => {
    const jwks = async () => (await fetch(`${ory.hydra.publicUrl}/.well-known/jwks.json`)).json();
    await ory.accessToken({ scope: 'read' });
    const before = (await jwks()) as { keys: unknown[] };
    await ory.processes.hydra.kill();
    await ory.processes.hydra.start();
    const after = (await jwks()) as { keys: unknown[] };
    expect(after.keys).toHaveLength(before.keys.length);
    expect(after.keys).toEqual(expect.arrayContaining(before.keys));
    await ory.accessToken({ scope: 'read' });
  });

  test('a paused Kratos takes connections and answers nothing until it is resumed', async () => {
    const { token } = await ory.login(await ory.createPerson());
    ory.processes.kratos.pause();
    const question = whoamiStatus(ory, ['X-Session-Token', token]);
    const url = `${ory.kratos.publicUrl}/sessions/whoami`;
    await expect(fetch(url, { signal: AbortSignal.timeout(300) })).rejects.toThrow('timeout');
    ory.processes.kratos.resume();
    expect(await question).toBe(200);
  });
}
