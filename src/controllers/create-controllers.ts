import type { Clock, Component, Logger } from '../base/index.ts'
import type { Client } from '../client/index.ts'
import type { ControllerInformers } from './caches.ts'
import { createDeploymentController } from './deployment/index.ts'
import { createEndpointsController } from './endpoints/index.ts'
import { createEndpointSliceController } from './endpointslice/index.ts'
import { createEndpointSliceMirroringController } from './endpointslicemirroring/index.ts'
import { createGarbageCollector } from './garbage/index.ts'
import { createNamespaceController } from './namespace/index.ts'
import { createReplicaSetController } from './replicaset/index.ts'
import { createScheduler } from './scheduler/index.ts'

export interface ControllersDeps {
  readonly client: Client
  /** Started by the caller; their indexes include `controllerIndexes`. */
  readonly informers: ControllerInformers
  readonly clock: Clock
  readonly log: Logger
}

/** Everything that a cluster's controller manager and scheduler do here. They may start in any order. */
export const createControllers = (deps: ControllersDeps): readonly Component[] => [
  createEndpointSliceController(deps),
  createEndpointsController(deps),
  createEndpointSliceMirroringController(deps),
  createReplicaSetController(deps),
  createDeploymentController(deps),
  createScheduler(deps),
  createNamespaceController(deps),
  createGarbageCollector(deps),
]
