// The part of a flow that a page shows, read from JSON: anything else in it is left alone. No I/O.
import { list, member, textMember } from './answer.ts';

const inputTypes = new Set([
  'hidden',
  'text',
  'password',
  'email',
  'tel',
  'url',
  'number',
  'date',
  'datetime-local',
  'checkbox',
  'submit',
]);

export interface UiMessage {
  readonly type: 'info' | 'success' | 'error';
  readonly text: string;
}

export interface UiInput {
  readonly kind: 'input';
  readonly group: string;
  readonly name: string;
  /** Of the fixed list of types that need no script. */
  readonly type: string;
  readonly value: string;
  readonly label: string;
  readonly required: boolean;
  readonly disabled: boolean;
  readonly autocomplete: string;
  readonly pattern: string;
  /** 0 where there is none. */
  readonly maxLength: number;
  readonly messages: readonly UiMessage[];
}

export type UiNode =
  | UiInput
  | {
      readonly kind: 'img';
      readonly group: string;
      readonly src: string;
      readonly width: number;
      readonly height: number;
      readonly label: string;
    }
  | { readonly kind: 'text'; readonly group: string; readonly text: string; readonly label: string }
  | { readonly kind: 'a'; readonly group: string; readonly href: string; readonly label: string };

export interface UiFlow {
  /** http or https. */
  readonly action: string;
  readonly messages: readonly UiMessage[];
  readonly nodes: readonly UiNode[];
  /** Where the person came from, http or https: whoever made the flow has found it allowed. */
  readonly returnTo: string | undefined;
}

/** Undefined where it is no flow, or one whose form goes somewhere that a form cannot be sent. */
export function readUiFlow(flow: unknown): UiFlow | undefined {
  const ui = member(flow, 'ui');
  const action = textMember(ui, 'action');
  if (!isWeb(action)) return undefined;
  const nodes = list(member(ui, 'nodes')).flatMap((node) => readNode(node) ?? []);
  const returnTo = textMember(flow, 'return_to');
  return { action, messages: readMessages(ui), nodes, returnTo: isWeb(returnTo) ? returnTo : undefined };
}

/** What a page without scripts can show. Scripts are left out, and buttons that need one. */
function readNode(node: unknown): UiNode | undefined {
  const attributes = member(node, 'attributes');
  const group = textMember(node, 'group') || 'default';
  const label = textMember(member(member(node, 'meta'), 'label'), 'text');
  switch (textMember(node, 'type')) {
    case 'input':
      return readInput(node, attributes, group, label);
    case 'img': {
      const src = textMember(attributes, 'src');
      if (!/^data:image\/(png|gif|jpeg|svg\+xml);base64,[A-Za-z0-9+/=]+$/.test(src)) return undefined;
      const size = { width: size0(attributes, 'width'), height: size0(attributes, 'height') };
      return { kind: 'img', group, src, ...size, label };
    }
    case 'text':
      return { kind: 'text', group, text: textMember(member(attributes, 'text'), 'text'), label };
    case 'a': {
      const href = textMember(attributes, 'href');
      const title = textMember(member(attributes, 'title'), 'text');
      return isWeb(href) ? { kind: 'a', group, href, label: label || title || href } : undefined;
    }
    default:
      return undefined;
  }
}

function readInput(node: unknown, attributes: unknown, group: string, label: string): UiInput | undefined {
  const type = textMember(attributes, 'type');
  const name = textMember(attributes, 'name');
  const scripted = textMember(attributes, 'onclick') !== '' || textMember(attributes, 'onclickTrigger') !== '';
  if (!inputTypes.has(type) || name === '' || scripted) return undefined;
  const value = member(attributes, 'value');
  return {
    kind: 'input',
    group,
    name,
    type,
    value: typeof value === 'object' || value === undefined ? '' : String(value),
    label: label || nameAsLabel(name),
    required: member(attributes, 'required') === true,
    disabled: member(attributes, 'disabled') === true,
    autocomplete: textMember(attributes, 'autocomplete'),
    pattern: textMember(attributes, 'pattern'),
    maxLength: size0(attributes, 'maxlength'),
    messages: readMessages(node),
  };
}

/** `traits.name.first` is "Name first": a schema without titles gives no label. */
function nameAsLabel(name: string): string {
  const words = name.replace(/^traits\./, '').replaceAll(/[._]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function readMessages(owner: unknown): UiMessage[] {
  return list(member(owner, 'messages')).map((message) => {
    const type = textMember(message, 'type');
    return { type: type === 'error' || type === 'success' ? type : 'info', text: textMember(message, 'text') };
  });
}

function size0(attributes: unknown, name: string): number {
  const value = member(attributes, name);
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}

/** http or https to a host of plain labels: its origin is written into a header that `;` would split. */
export function isWeb(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return ['http:', 'https:'].includes(protocol) && /^[a-z0-9.:[\]_-]+$/i.test(hostname);
}
