// The authorizer in a cluster: ConfigMap with the policy, ServiceAccount, Service, Deployment, and who may reach it.
// No I/O.
import { createHash } from 'node:crypto';
import { type Document, isMap, parseDocument, visit } from 'yaml';
import { type Block, COMMENT } from '../yaml.ts';
import type { Manifest } from './manifest.ts';
import type { PolicySource } from './options.ts';

export const AUTHORIZER_NAME = 'ory-envoy';
const HTTP_PORT = 9191;
export const GRPC_PORT = 9192;
const ADMIN_PORT = 9193;
/** Values of `${NAME}` in the policy come from keys of this Secret. */
const SECRET_NAME = 'ory-envoy';
const CONFIG_FILE = 'ory-envoy.yaml';
const FILE = 'authorizer.yaml';

export interface AuthorizerOptions {
  readonly namespace: string;
  readonly image: string;
  readonly source: PolicySource;
  /** Of the pods that Envoy runs in: nobody else may ask. Each is an entry of a NetworkPolicy's `from`. */
  readonly callers: readonly Block[];
}

/** Where Envoy reaches it from anywhere in the cluster. */
export function authorizerHost(namespace: string): string {
  return `${AUTHORIZER_NAME}.${namespace}.svc.cluster.local`;
}

export function authorizerManifests(options: AuthorizerOptions): Manifest[] {
  const { namespace, image, source, callers } = options;
  const { text, variables } = policyInCluster(source);
  const metadata = { name: AUTHORIZER_NAME, namespace, labels: LABELS };
  return [
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata,
      automountServiceAccountToken: false,
    },
    {
      [COMMENT]: `${source.file} as it stands, but for the addresses that the authorizer listens on.`,
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { [CONFIG_FILE]: text },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        selector: AUTHORIZER_LABELS,
        ports: [
          { name: 'http', port: HTTP_PORT, targetPort: 'http', appProtocol: 'http' },
          { name: 'grpc', port: GRPC_PORT, targetPort: 'grpc', appProtocol: 'grpc' },
        ],
      },
    },
    {
      [COMMENT]: secretsComment(variables, namespace),
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 2,
        selector: { matchLabels: AUTHORIZER_LABELS },
        template: {
          metadata: {
            labels: { ...LABELS, ...versionLabel(image) },
            annotations: { 'ory-envoy/policy': digest(text) },
          },
          spec: podSpec(image, variables),
        },
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { minAvailable: 1, selector: { matchLabels: AUTHORIZER_LABELS } },
    },
    {
      [COMMENT]:
        'Whoever reaches these ports could ask about credentials: only Envoy may, and the kubelet for the probes.',
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector: { matchLabels: AUTHORIZER_LABELS },
        policyTypes: ['Ingress'],
        ingress: [{ from: callers, ports: [HTTP_PORT, GRPC_PORT].map((port) => ({ protocol: 'TCP', port })) }],
      },
    },
  ].map((object) => ({ file: FILE, object }));
}

export const AUTHORIZER_LABELS = { 'app.kubernetes.io/name': AUTHORIZER_NAME };
const LABELS = { ...AUTHORIZER_LABELS, 'app.kubernetes.io/part-of': AUTHORIZER_NAME };

/** By which meshes tell one rollout from another. A tag is a label; an image that is named by its digest has none. */
function versionLabel(image: string): Block {
  const tag = /:([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)$/.exec(image)?.[1];
  return tag === undefined || image.includes('@') ? {} : { 'app.kubernetes.io/version': tag };
}

/** Of nobody: the image's own user may be another. */
const USER = 65532;

function podSpec(image: string, variables: readonly string[]): Block {
  return {
    serviceAccountName: AUTHORIZER_NAME,
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    // Connections under way are let end, and Envoy sees the other replicas first.
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: 'authorizer',
        image,
        args: ['serve', '-c', `/etc/ory-envoy/${CONFIG_FILE}`],
        ...(variables.length === 0 ? {} : { env: variables.map(fromSecret) }),
        ports: [
          { name: 'http', containerPort: HTTP_PORT },
          { name: 'grpc', containerPort: GRPC_PORT },
          { name: 'admin', containerPort: ADMIN_PORT },
        ],
        startupProbe: { httpGet: { path: '/health/alive', port: 'admin' }, periodSeconds: 1, failureThreshold: 30 },
        livenessProbe: { httpGet: { path: '/health/alive', port: 'admin' }, periodSeconds: 10 },
        readinessProbe: { httpGet: { path: '/health/ready', port: 'admin' }, periodSeconds: 5 },
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [{ name: 'policy', mountPath: '/etc/ory-envoy', readOnly: true }],
      },
    ],
    volumes: [{ name: 'policy', configMap: { name: AUTHORIZER_NAME } }],
  };
}

function fromSecret(variable: string): Block {
  return { name: variable, valueFrom: { secretKeyRef: { name: SECRET_NAME, key: variable } } };
}

function secretsComment(variables: readonly string[], namespace: string): string {
  if (variables.length === 0) return 'A change of the policy is a new rollout: the digest below is the policy’s.';
  const literals = variables.map((name) => `--from-literal=${name}=…`).join(' ');
  return `A change of the policy is a new rollout: the digest below is the policy’s. Its secrets come from\n  kubectl -n ${namespace} create secret generic ${SECRET_NAME} ${literals}`;
}

/** So that pods with an older policy do not stay: a ConfigMap alone restarts nothing. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The file, with its comments and its variables; in a pod the authorizer listens on every address. */
function policyInCluster({ text }: PolicySource): { text: string; variables: string[] } {
  const document = parseDocument(text);
  if (!isMap(document.get('serve'))) document.set('serve', document.createNode({}));
  for (const [key, port] of [
    ['http', HTTP_PORT],
    ['grpc', GRPC_PORT],
    ['admin', ADMIN_PORT],
  ] as const)
    document.setIn(['serve', key], `0.0.0.0:${port}`);
  return { text: document.toString({ lineWidth: 0 }), variables: variablesOf(document) };
}

/** In the order of the file. */
function variablesOf(document: Document): string[] {
  const names = new Set<string>();
  visit(document, {
    Scalar(_, { value }) {
      if (typeof value !== 'string') return;
      for (const [, name = ''] of value.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)) names.add(name);
    },
  });
  return [...names];
}
