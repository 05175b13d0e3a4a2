// What every target on Kubernetes is told beside the policy. No I/O.
import { GenerateError } from '../generate-error.ts';
import { isLabel } from './names.ts';

/** The policy's file as it was written: the authorizer in the cluster reads the same. */
export interface PolicySource {
  readonly text: string;
  /** In messages and comments. */
  readonly file: string;
}

export interface KubernetesOptions {
  readonly source: PolicySource;
  /** Of the authorizer's container. */
  readonly image: string;
  /** Where the objects are; undefined where the target chooses. */
  readonly namespace: string | undefined;
}

/** @throws {GenerateError} where Kubernetes would not take it. */
export function checkNamespace(namespace: string): string {
  if (isLabel(namespace)) return namespace;
  throw new GenerateError(
    `--namespace ${namespace}: Kubernetes takes lower-case letters, digits and "-" inside, 63 at most. Correct it.`,
  );
}
