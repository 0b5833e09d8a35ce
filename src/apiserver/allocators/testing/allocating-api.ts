import {
  ipAddressKind,
  type KubeObject,
  type Service,
  type ServicePort,
  type ServiceSpec,
  scheme,
  serviceKind,
} from '../../../api/index.ts'
import { type Component, type Running, realClock, silentLogger } from '../../../base/index.ts'
import { type ApiPort, type Client, createInProcessClient } from '../../../client/index.ts'
import type { Store } from '../../../store/index.ts'
import { openTempStore } from '../../../store/testing/temp-store.ts'
import { bootstrap } from '../../bootstrap/index.ts'
import { ipAddressStrategy } from '../../registry/ipaddress/index.ts'
import { createServiceStrategy } from '../../registry/service/index.ts'
import { createServiceCIDRFinalizer, serviceCidrStrategy } from '../../registry/servicecidr/index.ts'
import type { Strategy } from '../../registry/strategy.ts'
import { createApiServer } from '../../server.ts'
import { type Allocators, createAllocators } from '../allocators.ts'
import { NODE_PORT_PREFIX } from '../keys.ts'
import type { PortRange } from '../port-pool.ts'

export interface AllocatingApiOptions {
  readonly serviceCIDRs?: readonly string[]
  readonly nodePortRange?: PortRange
  /** Go on with the store of another one, which is stopped. */
  readonly store?: Store
}

/** A real API server in process over a real store, with everything that allocates. */
export interface AllocatingApi {
  readonly client: Client
  readonly port: ApiPort
  readonly store: Store
  readonly allocators: Allocators
  /** Stops the server; the store stays open. */
  stop(): Promise<void>
  /** Stops the server and removes the store that was opened for it. */
  remove(): Promise<void>
}

export const startAllocatingApi = async (options: AllocatingApiOptions = {}): Promise<AllocatingApi> => {
  const temp = options.store === undefined ? await openTempStore() : undefined
  const store = options.store ?? temp?.store
  if (store === undefined) throw new Error('a store was opened')
  const [clock, log] = [realClock, silentLogger]
  const controller = new AbortController()
  const allocators = createAllocators({ store, clock, log, nodePortRange: options.nodePortRange })
  const strategies = [
    erased(createServiceStrategy({ store, clock, allocators })),
    erased(serviceCidrStrategy),
    erased(ipAddressStrategy),
  ]
  const server = createApiServer({ store, kinds: scheme, strategies, clock, log, version: '0.0.0' })
  const client = createInProcessClient({ port: server, user: { name: 'test', groups: ['system:masters'] }, userAgent: 'test' })
  const parts: readonly Component[] = [
    { name: 'allocators', start: (signal) => allocators.start(signal) },
    server,
    createServiceCIDRFinalizer({ client, allocators, clock, log }),
  ]
  const running: Running[] = []
  for (const part of parts) running.push(await part.start(controller.signal))
  const serviceCIDRs = options.serviceCIDRs ?? ['10.96.0.0/24']
  await bootstrap({ port: server, log, serviceCIDRs, address: '192.0.2.1', apiPort: 6443 })
  const stop = async (): Promise<void> => {
    controller.abort()
    await Promise.all(running.map(({ stopped }) => stopped))
  }
  return {
    client,
    port: server,
    store,
    allocators,
    stop,
    async remove() {
      await stop()
      await temp?.remove()
    },
  }
}

// The verbs give a strategy only objects of its own kind.
const erased = <T extends KubeObject>(strategy: Strategy<T>): Strategy<KubeObject> => strategy as unknown as Strategy<KubeObject>

/** What the store says is allocated, and what the Services say they have: equal when nothing leaks. */
export const allocationsOf = async ({ client, store }: Pick<AllocatingApi, 'client' | 'store'>) => {
  const services = (await client.list(serviceKind)).items
  const addresses = (await client.list(ipAddressKind)).items
  const ports = (await store.range({ prefix: NODE_PORT_PREFIX })).entries.map((entry) => entry.key.slice(NODE_PORT_PREFIX.length))
  return {
    addresses: addresses
      .map(({ metadata, spec }) => `${metadata.name} ${spec.parentRef.namespace}/${spec.parentRef.name}`)
      .sort(),
    ports: ports.sort(),
    claimedAddresses: services.flatMap((service) => addressesOf(service)).sort(),
    claimedPorts: services.flatMap(portsOf).sort(),
  }
}

const addressesOf = ({ metadata, spec }: Service): readonly string[] =>
  (spec.clusterIPs ?? []).filter((ip) => ip !== 'None').map((ip) => `${ip} ${metadata.namespace}/${metadata.name}`)

const portsOf = ({ spec }: Service): readonly string[] => [
  ...(spec.ports ?? []).filter((port) => port.nodePort).map((port) => `${port.protocol}/${port.nodePort}`),
  ...(spec.healthCheckNodePort ? [`TCP/${spec.healthCheckNodePort}`] : []),
]

/** A Service as a client writes it: with little in it. */
export const newService = (name: string, spec: Partial<ServiceSpec> = {}) => ({
  metadata: { name, namespace: 'default' },
  spec: { ports: [port(80)], ...spec },
})

/** A port as a client writes it; the protocol is defaulted. */
export const port = (number: number, more: Partial<ServicePort> = {}): ServicePort => ({ protocol: 'TCP', port: number, ...more })
