// Kubernetes objects as text: one stream for `kubectl apply -f -`, or a file for each. No I/O.
import { type Block, COMMENT, toYaml } from '../yaml.ts';

/** An object, and the file that it stands in with `-o`. */
export interface Manifest {
  /** Such as `authorizer.yaml`. */
  readonly file: string;
  readonly object: KubernetesObject;
}

export interface KubernetesObject extends Block {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Block & { readonly name: string; readonly namespace?: string };
}

/** What a target generates. */
export interface Generated {
  /** Texts by file, in order. */
  readonly files: ReadonlyMap<string, string>;
  /** What cannot stand in them and somebody must do or know, a sentence each. */
  readonly notes: readonly string[];
}

/** Each file is a stream of its own: `---` between objects. `head` is the comment at the top of each. */
export function manifestFiles(manifests: readonly Manifest[], head: string): Map<string, string> {
  const files = new Map<string, KubernetesObject[]>();
  for (const { file, object } of manifests) files.set(file, [...(files.get(file) ?? []), object]);
  return new Map([...files].map(([file, objects]) => [file, stream(objects, head)]));
}

function stream(objects: readonly KubernetesObject[], head: string): string {
  return objects
    .map((object, i) => {
      const { [COMMENT]: comment, ...content } = object as Block;
      return toYaml(content, [...(i === 0 ? [head] : []), ...(comment === undefined ? [] : [comment])].join('\n\n'));
    })
    .join('---\n');
}

/** All files one after the other, as one stream. */
export function oneStream(files: ReadonlyMap<string, string>): string {
  return [...files.values()].join('---\n');
}
