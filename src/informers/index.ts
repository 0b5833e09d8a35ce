export type { Change, Indexes, Informer, Lister } from './informer.ts'
export type { Outcome, WorkQueue } from './work-queue.ts'
