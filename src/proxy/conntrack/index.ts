export { type CleanReport, createFlowCleaner, type FlowCleaner, type FlowCleanerOptions } from './cleaner.ts'
export { createFlowMetrics, type FlowMetrics } from './metrics.ts'
