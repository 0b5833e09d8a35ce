export { createReplicaSetController, type ReplicaSetControllerDeps } from './controller.ts'
