export { createScheduler, type SchedulerDeps } from './controller.ts'
