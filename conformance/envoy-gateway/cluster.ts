// What a cluster has and does beside the generated objects: namespaces, Services, and an address for each of these. No I/O.
import { parseAllDocuments, stringify } from 'yaml';

export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
}

/** Objects for a stream. */
export function clusterObjects(services: readonly Service[]): string {
  const namespaces = [...new Set(services.map(({ namespace }) => namespace))];
  const objects: object[] = [
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...services.map(({ name, namespace, port }) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { ports: [{ name: 'only', port, protocol: 'TCP' }] },
    })),
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}

export interface Admitted {
  readonly stream: string;
  /** Addresses by `name.namespace`. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** As an API server takes it: each Service is given an address, here one of TEST-NET-1 (RFC 5737), which nobody has. */
export function admitted(stream: string): Admitted {
  const addresses = new Map<string, string>();
  const documents = parseAllDocuments(stream);
  for (const document of documents) {
    if (document.get('kind') !== 'Service') continue;
    const address = `192.0.2.${addresses.size + 1}`;
    addresses.set(`${document.getIn(['metadata', 'name'])}.${document.getIn(['metadata', 'namespace'])}`, address);
    document.setIn(['spec', 'clusterIP'], address);
    document.setIn(['spec', 'clusterIPs'], [address]);
  }
  return { stream: documents.map((document) => String(document)).join('---\n'), addresses };
}
