// A settings flow as Kratos hands it out: profile, password, authenticator app. No I/O.
import { totpUrl } from '../totp.ts';
import { flowAction, flowHead, type SettingsFlow } from './flows.ts';
import { identityJson } from './identities.ts';
import { changesSaved, info } from './messages.ts';
import { csrfNode, image, input, type Node, text } from './nodes.ts';
import { qrPng } from './qr-png.ts';
import { traitLeaves } from './traits.ts';

const save = info(1070003, 'Save');

/** What a schema would call the traits of the seeded people. */
const titles: Readonly<Record<string, string>> = {
  'traits.email': 'E-mail',
  'traits.name': 'Name',
  'traits.name.first': 'First name',
  'traits.name.last': 'Last name',
};

export function settingsFlowJson(flow: SettingsFlow, base: string, token: string): Record<string, unknown> {
  const messages = flow.saved ? [changesSaved] : flow.messages;
  return {
    ...flowHead(flow),
    ui: {
      action: flowAction(flow, base),
      method: 'POST',
      nodes: [csrfNode(token), ...profileNodes(flow), ...passwordNodes(flow), ...totpNodes(flow)],
      ...(messages.length === 0 ? {} : { messages }),
    },
    identity: identityJson(flow.identity, base),
    state: flow.saved ? 'success' : 'show_form',
  };
}

function profileNodes({ identity, fieldMessages }: SettingsFlow): Node[] {
  const fields = traitLeaves(identity.traits).map(({ path, value }) => {
    const name = `traits.${path.join('.')}`;
    const email = name === 'traits.email' ? ({ required: true, autocomplete: 'email' } as const) : {};
    const title = titles[name];
    const label = title === undefined ? undefined : info(1070002, title);
    return input('profile', { name, type: typeOf(name, value), value, ...email }, label, fieldMessages.get(name));
  });
  return [...fields, input('profile', { name: 'method', type: 'submit', value: 'profile' }, save)];
}

function typeOf(name: string, value: string | number | boolean): 'email' | 'text' | 'number' | 'checkbox' {
  if (name === 'traits.email') return 'email';
  return typeof value === 'boolean' ? 'checkbox' : typeof value === 'number' ? 'number' : 'text';
}

function passwordNodes({ fieldMessages }: SettingsFlow): Node[] {
  return [
    input(
      'password',
      { name: 'password', type: 'password', required: true, autocomplete: 'new-password' },
      info(1070001, 'Password'),
      fieldMessages.get('password'),
    ),
    input('password', { name: 'method', type: 'submit', value: 'password' }, save),
  ];
}

function totpNodes({ identity, totpSecret, fieldMessages }: SettingsFlow): Node[] {
  if (identity.totpSecret !== undefined) {
    const label = info(1050004, 'Unlink TOTP Authenticator App');
    return [input('totp', { name: 'totp_unlink', type: 'submit', value: 'true', required: true }, label)];
  }
  const qr = qrPng(totpUrl('Development Ory', identity.identifier, totpSecret));
  const secret = { ...info(1050006, totpSecret), context: { secret: totpSecret } };
  const secretLabel = 'This is your authenticator app secret. Use it if you can not scan the QR code.';
  return [
    image('totp', 'totp_qr', qr.src, qr.width, info(1050005, 'Authenticator app QR code')),
    text('totp', 'totp_secret_key', secret, info(1050017, secretLabel)),
    input(
      'totp',
      { name: 'totp_code', type: 'text', required: true },
      info(1070006, 'Verify code'),
      fieldMessages.get('totp_code'),
    ),
    input('totp', { name: 'method', type: 'submit', value: 'totp' }, save),
  ];
}
