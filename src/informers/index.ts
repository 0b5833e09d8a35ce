export { type BatchQueue, createProgress, type Progress, runBatches } from './batch-loop.ts'
export { again, type ControllerOptions, DONE, runController } from './controller.ts'
export { createInformer, type InformerOptions } from './create-informer.ts'
export { createHoldOff, type HoldOff, type HoldOffOptions } from './hold-off.ts'
export type { Change, Indexes, Informer, Lister } from './informer.ts'
export {
  createReferencedInformer,
  followEverything,
  type ReferencedInformer,
  type ReferencedInformerOptions,
} from './referenced/index.ts'
export { waitForSync } from './sync-gate.ts'
export { createWorkQueue, type Outcome, type WorkQueue, type WorkQueueOptions } from './work-queue.ts'
