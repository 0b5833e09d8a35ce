/** Runs in one network namespace. One request a message, answered by `{id, result}` or `{id, error}`. */
import { actOnFlows, type FlowRequest } from './flow-clients.ts'

process.on('message', ({ id, request }: { readonly id: number; readonly request: FlowRequest }) => {
  actOnFlows(request).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ id: 0 })
