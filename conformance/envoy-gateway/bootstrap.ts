// What Envoy Gateway tells an Envoy over its own protocol, as a bootstrap that an Envoy runs by itself. No I/O.

// biome-ignore lint/suspicious/noExplicitAny: the shapes are Envoy's, and a wrong step fails the test
type Anything = any;

export interface Places {
  /** Where the Gateway's listener is, on 127.0.0.1. */
  readonly edgePort: number;
  /** Which port of 127.0.0.1 stands for an address of the cluster; undefined where nobody is there. */
  portFor(host: string, port: number): number | undefined;
}

/** @param configs of a configuration dump: the translator's whole output for one Gateway */
export function bootstrapOf(configs: readonly Anything[], places: Places): Anything {
  const of = (type: string) => configs.find((config) => config['@type'].endsWith(`.${type}`)) ?? {};
  const endpoints = plain(of('EndpointsConfigDump').dynamicEndpointConfigs, 'endpointConfig');
  const clusters = plain(of('ClustersConfigDump').dynamicActiveClusters, 'cluster');
  const routes = plain(of('RoutesConfigDump').dynamicRouteConfigs, 'routeConfig');
  const listeners = (of('ListenersConfigDump').dynamicListeners ?? [])
    .map(({ activeState }: Anything) => withoutType(activeState.listener))
    .filter(({ name }: Anything) => !name.startsWith('envoy-gateway-proxy-ready'));
  if (listeners.length !== 1) throw new Error(`${listeners.length} listeners`);
  return {
    node: { id: 'envoy', cluster: 'envoy' },
    admin: { address: address('127.0.0.1', 0) },
    // Among it how large a regular expression may be.
    layeredRuntime: of('BootstrapConfigDump').bootstrap.layeredRuntime,
    staticResources: {
      listeners: listeners.map((listener: Anything) => listenerWith(listener, routes, places.edgePort)),
      clusters: clusters.map((cluster: Anything) => clusterWith(cluster, endpoints, places)),
    },
  };
}

function plain(entries: Anything[] | undefined, key: string): Anything[] {
  return (entries ?? []).map((entry) => withoutType(entry[key]));
}

function withoutType({ '@type': _, ...rest }: Anything): Anything {
  return rest;
}

function address(host: string, port: number): Anything {
  return { socketAddress: { address: host, portValue: port } };
}

function listenerWith(listener: Anything, routes: readonly Anything[], port: number): Anything {
  const chains = [
    ...(listener.filterChains ?? []),
    ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : []),
  ];
  for (const { filters } of chains) {
    for (const { typedConfig } of filters) {
      const name = typedConfig.rds?.routeConfigName;
      const found = routes.find((one) => one.name === name);
      if (!found) throw new Error(`no routes ${name}`);
      delete typedConfig.rds;
      typedConfig.routeConfig = found;
    }
  }
  return onStandardOutput({ ...listener, address: address('127.0.0.1', port) });
}

/** Where standard output is no file, Envoy cannot open it as one. */
function onStandardOutput(listener: Anything): Anything {
  return JSON.parse(JSON.stringify(listener), (_, value) => {
    if (value?.path !== '/dev/stdout') return value;
    const { path, ...rest } = value;
    return { ...rest, '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog' };
  });
}

/** Whatever the cluster is found by, it is a port of this machine here. */
function clusterWith(
  { edsClusterConfig, ...cluster }: Anything,
  endpoints: readonly Anything[],
  places: Places,
): Anything {
  const name = edsClusterConfig?.serviceName ?? cluster.name;
  const loadAssignment = cluster.loadAssignment ?? endpoints.find((one) => one.clusterName === name);
  if (!loadAssignment) throw new Error(`no endpoints of ${name}`);
  for (const { lbEndpoints } of loadAssignment.endpoints ?? []) {
    for (const { endpoint } of lbEndpoints ?? []) {
      const { address: host, portValue } = endpoint.address.socketAddress;
      const port = places.portFor(host, portValue);
      if (port === undefined)
        throw new Error(`the cluster ${cluster.name} is at ${host}:${portValue}, and nobody is there`);
      endpoint.address = address('127.0.0.1', port);
    }
  }
  const { clusterType: _, dnsLookupFamily: __, dnsRefreshRate: ___, respectDnsTtl: ____, ...rest } = cluster;
  return { ...rest, type: 'STATIC', loadAssignment };
}
