/** The entry of the worker process of streams: a plane that the supervisor drives over IPC. It ends when the channel closes, so it never outlives its parent. */
import type { FromStreamWorker, ToStreamWorker } from './protocol.ts'
import { StreamPlane } from './stream-plane.ts'

const send = (message: FromStreamWorker): void => {
  if (process.connected) process.send?.(message)
}

let plane: StreamPlane | undefined
/** Updates are carried out one after the other. */
let work = Promise.resolve()

process.on('message', (message: ToStreamWorker) => {
  switch (message.type) {
    case 'start':
      plane = new StreamPlane(message.settings)
      return
    case 'update':
      work = work.then(async () => {
        const failures = (await plane?.update(message.ports)) ?? []
        send({ type: 'applied', sequence: message.sequence, failures })
      })
      return
    case 'stop':
      work = work.then(async () => {
        await plane?.stop(message.drainMs)
        process.exit(0)
      })
      return
    default:
      return message satisfies never
  }
})
process.on('disconnect', () => process.exit(0))
// Signals to the process group are the supervisor's business.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
send({ type: 'ready' })
