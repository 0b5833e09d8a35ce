export { createStreamEngine, type StreamEngine } from './stream-engine.ts'
export { createStreams } from './streams.ts'
