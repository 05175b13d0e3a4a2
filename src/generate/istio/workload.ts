// Which Envoys the objects are for: gateways or sidecars, by label or by reference. No I/O.
import { GenerateError } from '../generate-error.ts';
import { isLabel } from '../kubernetes/names.ts';
import { checkNamespace } from '../kubernetes/options.ts';
import type { Block } from '../yaml.ts';

export type Mode = 'gateway' | 'sidecar';

export interface Workload {
  readonly mode: Mode;
  readonly namespace: string;
  /** Of the pods that Envoy runs in. */
  readonly labels: Readonly<Record<string, string>>;
  /** The Gateway of the Gateway API that they belong to; undefined where they are named by their labels alone. */
  readonly gateway: string | undefined;
}

export interface WorkloadOptions {
  readonly mode: Mode | undefined;
  readonly selector: string | undefined;
  readonly namespace: string | undefined;
}

const GATEWAY_LABEL = 'gateway.networking.k8s.io/gateway-name';
const INGRESS_GATEWAY = { selector: 'istio=ingressgateway', namespace: 'istio-system' };

/** @throws {GenerateError} where it is not said which, or in words that Kubernetes would not take. */
export function workloadOf({ mode = 'gateway', selector, namespace }: WorkloadOptions): Workload {
  if (namespace !== undefined) checkNamespace(namespace);
  if (mode === 'sidecar') return sidecar(selector, namespace);
  const gateway = /^gateway\/(.*)$/s.exec(selector ?? '')?.[1];
  if (gateway === undefined)
    return {
      mode,
      namespace: namespace ?? INGRESS_GATEWAY.namespace,
      labels: labelsOf(selector ?? INGRESS_GATEWAY.selector),
      gateway,
    };
  if (!isLabel(gateway))
    throw new GenerateError(
      `--selector gateway/${gateway}: no name of a Gateway. Write its name, such as gateway/public.`,
    );
  if (namespace === undefined)
    throw new GenerateError(
      `--selector gateway/${gateway}: a Gateway may be in any namespace. Say in which with --namespace.`,
    );
  return { mode, namespace, labels: { [GATEWAY_LABEL]: gateway }, gateway };
}

function sidecar(selector: string | undefined, namespace: string | undefined): Workload {
  if (selector === undefined)
    throw new GenerateError(
      '--mode sidecar: without --selector every pod of the namespace would be guarded. Name the application’s pods, such as --selector app=web.',
    );
  if (namespace === undefined)
    throw new GenerateError(
      '--mode sidecar: the objects stand in the application’s namespace. Say which with --namespace, such as --namespace shop.',
    );
  if (selector.startsWith('gateway/'))
    throw new GenerateError(`--selector ${selector}: that is a gateway, not a sidecar. Leave --mode sidecar out.`);
  return { mode: 'sidecar', namespace, labels: labelsOf(selector), gateway: undefined };
}

const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?';
const LABEL = new RegExp(`^((?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?${NAME})=(${NAME})$`);

/** `app=web`, or several with commas between them. */
function labelsOf(selector: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const part of selector.split(',')) {
    const [, key, value] = LABEL.exec(part) ?? [];
    if (key === undefined || value === undefined || Object.hasOwn(labels, key))
      throw new GenerateError(
        `--selector ${selector}: "${part}" is no label, or the second of its name. Write KEY=VALUE, such as app=web, with commas between several; or gateway/NAME for a Gateway.`,
      );
    labels[key] = value;
  }
  return labels;
}

/** Of a policy or a RequestAuthentication: the field that says whom it is for. */
export function target({ gateway, labels }: Workload): Block {
  return gateway === undefined
    ? { selector: { matchLabels: labels } }
    : { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: gateway }] };
}

/** An entry of a NetworkPolicy's `from`. */
export function callers({ namespace, labels }: Workload): Block[] {
  return [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      podSelector: { matchLabels: labels },
    },
  ];
}
