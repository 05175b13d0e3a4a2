// The library's public surface.

export type { Log } from './check/log.ts';
export { type AllowReason, DENIALS, type DenyReason, type Reason } from './check/reason.ts';
export type { CheckRequest } from './check/request/check-request.ts';
export type { Config } from './config/config.ts';
export { ConfigError, type LocatedFault } from './config/fault.ts';
export { configJsonSchema } from './config/json-schema.ts';
export { type LoadOptions, loadConfig, parseConfig } from './config/load.ts';
export { type EnvoyOptions, generateEnvoy, type Part } from './generate/envoy/emit.ts';
export { type Authorizer, type AuthorizerOptions, startAuthorizer } from './server/authorizer.ts';
