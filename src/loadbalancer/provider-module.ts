import type { Registry } from 'prom-client'
import type { EndpointSlice, Node, Service } from '../api/index.ts'
import type { Clock, Component, Logger } from '../base/index.ts'
import type { Client, EventRecorder, Leadership } from '../client/index.ts'
import type { Informer } from '../informers/index.ts'
import type { Provider } from './provider.ts'

/** How a provider comes into `fairway loadbalancer`: one entry of the table in the command. */
export interface ProviderModule<Config> {
  readonly name: string
  /** The parsed file of `--config` (undefined without one) and the environment; every problem at once, as `path reason`. */
  readConfig(file: unknown, env: Readonly<Record<string, string | undefined>>): ConfigResult<Config>
  create(config: Config, deps: ProviderDeps): CreatedProvider
}

export type ConfigResult<Config> =
  | { readonly kind: 'config'; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly kind: 'problems'; readonly problems: readonly string[] }

export interface ProviderDeps {
  readonly client: Client
  readonly clusterId: string
  /** Caches that are complete before the provider is asked anything. */
  readonly services: Informer<Service>
  /** With the index of `sliceIndexes`. */
  readonly slices: Informer<EndpointSlice>
  readonly nodes: Informer<Node>
  /** Acts of the provider's own components are the leader's alone. */
  readonly leadership: Leadership
  readonly recorder: EventRecorder
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Logger
}

export interface CreatedProvider {
  readonly provider: Provider
  /** What runs beside it (own caches, Ingresses), started before the controller and stopped after it. */
  readonly components: readonly Component[]
}
