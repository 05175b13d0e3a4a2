// The application behind every contender: an Envoy of its own that answers by itself, and says who it was told the user
// is. Faster than what is measured in front of it. No I/O.

/** The header in which the application says back the identity header that reached it. */
export const SEEN_USER = 'seen-user';

export function applicationBootstrap(): string {
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return JSON.stringify({
    admin: { address },
    static_resources: {
      listeners: [
        {
          name: 'application',
          address,
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: {
                    '@type':
                      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                    stat_prefix: 'application',
                    generate_request_id: false,
                    route_config: {
                      virtual_hosts: [
                        {
                          name: 'all',
                          domains: ['*'],
                          response_headers_to_add: [
                            {
                              header: { key: SEEN_USER, value: '%REQ(X-USER-ID)%' },
                              append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
                            },
                          ],
                          routes: [
                            {
                              match: { prefix: '/' },
                              direct_response: { status: 200, body: { inline_string: 'ok\n' } },
                            },
                          ],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: 'envoy.filters.http.router',
                        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  });
}
