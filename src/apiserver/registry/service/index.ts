export { createServiceStrategy, type ServiceStrategyOptions } from './strategy.ts'
