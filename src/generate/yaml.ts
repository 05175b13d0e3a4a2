// Plain objects to YAML with comments, the same bytes for the same input. No I/O.
import { Document, isMap, isScalar, isSeq, type Node, Scalar, visit } from 'yaml';

/** A comment above the map that carries it. */
export const COMMENT: unique symbol = Symbol('comment');

/** With `true`: the block is written on one line. */
export const ONE_LINE: unique symbol = Symbol('one line');

export type Value = string | number | boolean | readonly Value[] | Block;
export interface Block {
  readonly [key: string]: Value;
  readonly [COMMENT]?: string;
  readonly [ONE_LINE]?: true;
}

/** Left unquoted: what no YAML reader, 1.1 or 1.2, takes for anything but a string. */
const PLAIN = /^(?:[A-Za-z][A-Za-z0-9_./-]*|\d+(?:\.\d+)?m?s)$/;
const WORDS = new Set(['y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null', 'inf', 'nan']);

export function toYaml(content: Value, headComment: string): string {
  const document = new Document(content, { aliasDuplicateObjects: false });
  addStyle(document.contents, content);
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string') return;
      const plain = PLAIN.test(node.value) && !WORDS.has(node.value.toLowerCase());
      node.type = plain ? Scalar.PLAIN : node.value.includes('\n') ? Scalar.BLOCK_LITERAL : Scalar.QUOTE_SINGLE;
    },
  });
  document.commentBefore = indentComment(headComment);
  return document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: true });
}

function addStyle(node: Node | null, value: Value): void {
  if (isSeq(node) && Array.isArray(value)) {
    for (const [i, item] of node.items.entries()) addStyle(item as Node, value[i] as Value);
  } else if (isMap(node) && typeof value === 'object') {
    const block = value as Block;
    const comment = block[COMMENT];
    if (comment !== undefined) node.commentBefore = indentComment(comment);
    if (block[ONE_LINE]) node.flow = true;
    for (const pair of node.items) {
      if (isScalar(pair.key)) addStyle(pair.value as Node, block[String(pair.key.value)] as Value);
    }
  }
}

function indentComment(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : ` ${line}`))
    .join('\n');
}
