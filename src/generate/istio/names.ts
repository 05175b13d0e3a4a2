// What the objects are called. No I/O.
import { Names } from '../kubernetes/names.ts';

/** One of each kind in a namespace, beside the authorizer's own. */
export const OBJECT_NAME = 'ory-envoy';

/** Of the DENY that nobody passes without a token. */
export const WITHOUT_TOKEN_NAME = `${OBJECT_NAME}-without-token`;

/** Of the mesh's configuration, which all namespaces share. */
export function providerName(namespace: string): string {
  return new Names().give(`ory-envoy-${namespace}`);
}
