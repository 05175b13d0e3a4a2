// A page of any flow, hostile ones included.
import { html } from 'hono/html';
import { describe, expect, test } from 'vitest';
import { flowMessages, flowSections } from './flow-page.ts';
import { readUiFlow } from './ui-flow.ts';

const action = 'https://kratos.example.com/self-service/login?flow=1&x=2';
const input = (group: string, attributes: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  type: 'input',
  group,
  attributes: { node_type: 'input', disabled: false, ...attributes },
  messages: [],
  meta: {},
  ...more,
});
const csrf = input('default', { name: 'csrf_token', type: 'hidden', value: 'a"b' });
const submit = (group: string, label = 'Send') =>
  input(group, { name: 'method', type: 'submit', value: group }, { meta: { label: { text: label, type: 'info' } } });

async function render(nodes: unknown[], messages: unknown[] = []): Promise<{ titles: string[]; bodies: string[] }> {
  const flow = readUiFlow({ ui: { action, method: 'POST', nodes, messages } });
  if (!flow) throw new Error('no flow');
  const sections = flowSections(flow);
  return {
    titles: sections.map(({ title }) => title),
    bodies: await Promise.all([...sections.map(({ body }) => body), html`${flowMessages(flow.messages)}`].map(String)),
  };
}

describe('the page of a flow', () => {
  test('has one form a group, each with the hidden fields and to the flow’s own action', async () => {
    const { titles, bodies } = await render([
      csrf,
      input('profile', { name: 'traits.email', type: 'email', value: 'a@b', required: true, autocomplete: 'email' }),
      submit('profile'),
      input('password', { name: 'password', type: 'password', value: 'never shown' }),
      submit('password'),
    ]);
    expect(titles).toEqual(['Profile', 'Password']);
    for (const body of bodies.slice(0, 2)) {
      expect(body).toContain(
        '<form method="post" action="https://kratos.example.com/self-service/login?flow=1&amp;x=2">',
      );
      expect(body).toContain('<input type="hidden" name="csrf_token" value="a&quot;b">');
    }
    expect(bodies[0]).toMatch(/type="email" value="a@b" required autocomplete="email"/);
    expect(bodies[1]).not.toContain('never shown');
  });

  test('asks who one is only where the group asks something itself', async () => {
    const identifier = input('default', { name: 'identifier', type: 'text', value: '' });
    const password = input('password', { name: 'password', type: 'password' });
    const { bodies } = await render([csrf, identifier, password, submit('password'), submit('oidc')]);
    expect(bodies[0]).toContain('name="identifier"');
    expect(bodies[1]).not.toContain('name="identifier"');
  });

  test('shows every kind of field', async () => {
    const types = ['text', 'email', 'tel', 'url', 'number', 'date', 'datetime-local', 'password'];
    const { bodies } = await render([
      csrf,
      ...types.map((type) => input('profile', { name: `traits.${type}`, type })),
      input('profile', { name: 'traits.news', type: 'checkbox', value: true }),
      input('profile', { name: 'traits.no', type: 'checkbox', value: false, disabled: true }),
      {
        type: 'text',
        group: 'profile',
        attributes: { id: 't', text: { text: '<b>12</b>' } },
        meta: { label: { text: 'L' } },
      },
      {
        type: 'img',
        group: 'profile',
        attributes: { src: 'data:image/png;base64,AA==', width: 9, height: 9 },
        meta: {},
      },
      { type: 'a', group: 'profile', attributes: { href: 'https://a.example/', title: { text: 'More' } }, meta: {} },
      submit('profile'),
    ]);
    const body = bodies[0] ?? '';
    for (const type of types) expect(body).toContain(`name="traits.${type}" type="${type}"`);
    expect(body).toMatch(/name="traits.news" value="false"><label class="check"><input type="checkbox"[^>]* checked>/);
    expect(body).toMatch(/name="traits.no" value="true" disabled>/);
    expect(body).toContain('<code>&lt;b&gt;12&lt;/b&gt;</code>');
    expect(body).toContain('<img src="data:image/png;base64,AA=="');
    expect(body).toContain('<a href="https://a.example/" rel="noreferrer">More</a>');
  });

  test('leaves out scripts, what needs one, and what leads or loads from anywhere else', async () => {
    const { titles, bodies } = await render([
      csrf,
      { type: 'script', group: 'webauthn', attributes: { src: 'https://evil.example/x.js' }, meta: {} },
      input('webauthn', { name: 'key', type: 'button', onclick: 'alert(1)' }),
      input('passkey', { name: 'passkey', type: 'submit', onclick: 'alert(1)' }),
      input('passkey', { name: 'other', type: 'submit', onclickTrigger: 'oryPasskeyLogin' }),
      { type: 'img', group: 'x', attributes: { src: 'https://evil.example/x.png' }, meta: {} },
      { type: 'img', group: 'x', attributes: { src: 'data:text/html;base64,AA==' }, meta: {} },
      { type: 'a', group: 'x', attributes: { href: 'javascript:alert(1)', title: { text: 'x' } }, meta: {} },
      { type: 'unknown', group: 'x', attributes: {}, meta: {} },
      submit('password'),
    ]);
    expect(titles).toEqual(['Password']);
    expect(bodies.join('')).not.toMatch(/evil|alert|script|oryPasskey/i);
  });

  test('says what the flow says, escaped, and marks a field that is wrong', async () => {
    const wrong = { id: 1, type: 'error', text: 'wrong <i>' };
    const { bodies } = await render(
      [csrf, input('totp', { name: 'totp_code', type: 'text' }, { messages: [wrong] }), submit('totp')],
      [
        { id: 2, type: 'error', text: 'all <i>' },
        { id: 3, type: 'success', text: 'saved' },
        { id: 4, text: 'note' },
      ],
    );
    expect(bodies[0]).toMatch(
      /aria-describedby="totp-totp_code-note" aria-invalid="true"><p class="bad" id="totp-totp_code-note">wrong &lt;i&gt;<\/p>/,
    );
    expect(bodies[1]).toContain('<p class="alert" role="alert">all &lt;i&gt;</p>');
    expect(bodies[1]).toContain('<p class="done" role="status">saved</p>');
    expect(bodies[1]).toContain('<p class="soft" role="status">note</p>');
  });

  test('names a field without a label after itself', async () => {
    const { bodies } = await render([
      csrf,
      input('profile', { name: 'traits.name.first', type: 'text' }),
      submit('profile'),
    ]);
    expect(bodies[0]).toContain('>Name first</label>');
  });

  test.each([
    [undefined],
    [null],
    ['x'],
    [{}],
    [{ ui: {} }],
    [{ ui: { action: '/relative' } }],
    [{ ui: { action: 1 } }],
  ])('is none for %j', (json) => {
    expect(readUiFlow(json)).toBeUndefined();
  });

  test('is made of odd flows too, without an error', async () => {
    for (const nodes of [
      null,
      'x',
      [null],
      [{}],
      [{ type: 'input' }],
      [input('x', { name: 'a', type: 'text', value: {} })],
    ]) {
      expect(readUiFlow({ ui: { action, nodes } })).toBeDefined();
    }
    expect((await render([input('x', { name: 'a', type: 'text', value: {} }), submit('x')])).bodies[0]).toContain(
      'value=""',
    );
  });
});
