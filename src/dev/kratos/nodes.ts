// The fields, pictures and texts of which a flow's form consists, in Kratos's shape. No I/O.
import type { Message } from './messages.ts';

export type Node = Readonly<Record<string, unknown>>;

interface Input {
  readonly name: string;
  readonly type: 'hidden' | 'text' | 'password' | 'email' | 'number' | 'checkbox' | 'submit';
  readonly value?: unknown;
  readonly required?: true;
  readonly autocomplete?: string;
}

export function input(group: string, given: Input, label?: Message, message?: Message): Node {
  return node('input', group, { ...given, disabled: false, node_type: 'input' }, label, message);
}

/** '' in an API flow, which needs none. */
export function csrfNode(token: string): Node {
  return input('default', { name: 'csrf_token', type: 'hidden', value: token, required: true });
}

export function image(group: string, id: string, src: string, size: number, label: Message): Node {
  return node('img', group, { src, id, width: size, height: size, node_type: 'img' }, label);
}

export function text(group: string, id: string, shown: Message, label: Message): Node {
  return node('text', group, { text: shown, id, node_type: 'text' }, label);
}

function node(type: string, group: string, attributes: unknown, label?: Message, message?: Message): Node {
  const messages = message === undefined ? [] : [message];
  return { type, group, attributes, messages, meta: label === undefined ? {} : { label } };
}
