/** A process with an engine, for tests that kill it; prints its worker's process identifier. */
import { silentLogger } from '../../base/index.ts'
import { createEngine } from '../workers/engine.ts'

const engine = createEngine({ http: { address: '127.0.0.1', port: 0 }, workers: 1, log: silentLogger })
const running = await engine.start(new AbortController().signal)
process.stdout.write(`${running.workers[0]}\n`)
