export { createGarbageCollector, type GarbageCollectorDeps } from './controller.ts'
