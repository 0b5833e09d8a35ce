import type { ConfigMap, Secret, Service } from '../../api/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { Client, EventRecorder } from '../../client/index.ts'
import type { Files } from '../../host/index.ts'
import type { ImageCatalogue } from '../catalogue.ts'
import type { PodNetwork } from '../network/pod-network.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { MachineSize } from './field-ref.ts'

/** What a pod on this node needs from around it. */
export interface PodDeps {
  readonly client: Client
  readonly network: PodNetwork
  readonly runtime: Runtime
  readonly catalogue: ImageCatalogue
  readonly objects: ObjectReader
  readonly files: Files
  readonly clock: Clock
  readonly log: Logger
  readonly recorder: EventRecorder
  readonly machine: MachineSize
  /** The lowest port that the pods' processes may bind on a network that they share with the machine. */
  readonly firstBindablePort: number
  /** The node's data folder: containers don't see it. */
  readonly dataDir: string
  /** Holds a folder for each pod. */
  readonly podsDir: string
  readonly dns: NodeDns
  readonly traffic: Traffic | undefined
}

/** Those who send connections to pods. */
export interface Traffic {
  /** Resolves when nobody sends this address new connections any more; may take for ever. */
  withdrawn(address: string, signal: AbortSignal): Promise<void>
}

/** Where pods ask for names, and the domain below which Services have theirs. */
export interface NodeDns {
  readonly address: string
  readonly port: number
  /** Such as `cluster.local`. */
  readonly domain: string
}

/** Other objects that pods are made from. Missing ones are left out of the answers; a read that fails rejects. */
export interface ObjectReader {
  configMaps(namespace: string, names: readonly string[]): Promise<ReadonlyMap<string, ConfigMap>>
  secrets(namespace: string, names: readonly string[]): Promise<ReadonlyMap<string, Secret>>
  /** Of the namespace, and of the default one. */
  services(namespace: string): readonly Service[]
}
