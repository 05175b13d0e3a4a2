// The names of Envoy's filters, and the types of what a route says to them. No I/O.

export const JWT_AUTHN = 'envoy.filters.http.jwt_authn';
export const JWT_AUTHN_ROUTE = 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig';
/** The namespace of what an RBAC filter finds, whatever it is called. */
export const RBAC = 'envoy.filters.http.rbac';
/** Not called after its kind: an Envoy that one already has may have an RBAC filter of its own. */
export const RULE_FILTER = 'ory-envoy.rule';
export const RBAC_ROUTE = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute';
/** Not called after its kind: an Envoy that one already has may have a script of its own. */
export const EDGE_CACHE = 'ory-envoy.edge-cache';
export const EDGE_CACHE_ROUTE = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute';
export const EXT_AUTHZ = 'envoy.filters.http.ext_authz';
export const EXT_AUTHZ_ROUTE = 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute';
