// The page of any flow of Kratos, from the flow's JSON alone: what it says in `ui` becomes forms. No I/O.
import { html } from 'hono/html';
import type { Markup } from './page.ts';
import type { UiFlow, UiInput, UiMessage, UiNode } from './ui-flow.ts';

/** What a group of fields is called, where Kratos has no word for it. */
const groupTitles: Readonly<Record<string, string>> = {
  code: 'Code by e-mail',
  link: 'Link by e-mail',
  lookup_secret: 'Backup codes',
  oidc: 'Other accounts',
  passkey: 'Passkeys',
  password: 'Password',
  profile: 'Profile',
  totp: 'Authenticator app',
  webauthn: 'Security keys',
};

interface Group {
  readonly name: string;
  readonly nodes: readonly UiNode[];
}

export interface FlowSection {
  /** Of a form among several. */
  readonly title: string;
  readonly body: Markup;
}

/**
 * One form a group, so that an empty field of one does not keep another from being sent. Each holds the flow's hidden
 * fields and what else belongs to no group, such as who one is.
 */
export function flowSections(flow: UiFlow): FlowSection[] {
  const shared = flow.nodes.filter((node) => node.group === 'default');
  const names = [...new Set(flow.nodes.map((node) => node.group))].filter((name) => name !== 'default');
  const groups: Group[] = names.map((name) => ({ name, nodes: flow.nodes.filter((node) => node.group === name) }));
  const usable = groups.filter(({ nodes }) => canBeSent(nodes) || nodes.some((node) => node.kind !== 'input'));
  if (groups.length === 0 && canBeSent(shared)) return [{ title: '', body: form(flow, 'default', shared) }];
  return usable.map(({ name, nodes }) => ({
    title: groupTitles[name] ?? name,
    body: form(flow, name, [...carriedInto(nodes, shared), ...nodes]),
  }));
}

/** Fields of no group are asked for once more only where the group itself asks something. */
function carriedInto(nodes: readonly UiNode[], shared: readonly UiNode[]): readonly UiNode[] {
  const asks = nodes.some((node) => node.kind === 'input' && node.type !== 'submit' && node.type !== 'hidden');
  return asks ? shared : shared.filter((node) => node.kind === 'input' && node.type === 'hidden');
}

function canBeSent(nodes: readonly UiNode[]): boolean {
  return nodes.some((node) => node.kind === 'input' && node.type === 'submit');
}

function form(flow: UiFlow, group: string, nodes: readonly UiNode[]): Markup {
  const sending = nodes.some((node) => node.kind === 'input');
  const body = nodes.map((node) => field(group, node));
  return sending ? html`<form method="post" action="${flow.action}">${body}</form>` : html`<div>${body}</div>`;
}

export function flowMessages(messages: readonly UiMessage[]): Markup[] {
  return messages.map(({ type, text }) => {
    if (type === 'error') return html`<p class="alert" role="alert">${text}</p>`;
    return html`<p class="${type === 'success' ? 'done' : 'soft'}" role="status">${text}</p>`;
  });
}

/** For whoever is asked for a second factor and has none. */
export function noSecondFactor(settingsUrl: string): Markup {
  return html`<p>Your account has no second factor yet: <a href="${settingsUrl}">set one up in its settings</a>, and it is given with that.</p>`;
}

function field(group: string, node: UiNode): Markup {
  switch (node.kind) {
    case 'input':
      return inputField(`${group}-${node.name}`, node);
    case 'img':
      return html`<figure><img src="${node.src}" alt="${node.label}" width="${node.width}" height="${node.height}"></figure>`;
    case 'text':
      return html`<p class="soft">${node.label}</p><p><code>${node.text}</code></p>`;
    case 'a':
      return html`<p><a href="${node.href}" rel="noreferrer">${node.label}</a></p>`;
  }
}

function inputField(id: string, node: UiInput): Markup {
  const { name, type, value } = node;
  if (type === 'hidden') return html`<input type="hidden" name="${name}" value="${value}">`;
  const messages = node.messages.map(
    (message) => html`<p class="${message.type === 'error' ? 'bad' : 'soft'}" id="${id}-note">${message.text}</p>`,
  );
  const off = node.disabled ? html` disabled` : '';
  if (type === 'submit') {
    return html`<button class="wide" type="submit" name="${name}" value="${value}"${off}>${node.label}</button>${messages}`;
  }
  const described = messages.length === 0 ? '' : html` aria-describedby="${id}-note" aria-invalid="true"`;
  if (type === 'checkbox') {
    const checked = value === 'true' ? html` checked` : '';
    // Unchecked boxes are not sent at all; of two fields of one name the last counts.
    return html`<input type="hidden" name="${name}" value="false"><label class="check"><input type="checkbox" id="${id}" name="${name}" value="true"${checked}${off}${described}> ${node.label}</label>${messages}`;
  }
  const optional = [
    node.required ? html` required` : '',
    node.autocomplete === '' ? '' : html` autocomplete="${node.autocomplete}"`,
    node.pattern === '' ? '' : html` pattern="${node.pattern}"`,
    node.maxLength > 0 ? html` maxlength="${node.maxLength}"` : '',
    type === 'number' ? html` step="any"` : '',
    off,
    described,
  ];
  return html`<label for="${id}">${node.label}</label><input id="${id}" name="${name}" type="${type}" value="${type === 'password' ? '' : value}"${optional}>${messages}`;
}
