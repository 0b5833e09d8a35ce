/**
 * Runs in one network namespace of the lab: pods, clients, and on the node the userspace backend, which needs its sockets there.
 * One request a message, answered by `{id, result}` or `{id, error}`.
 */
import { realExec } from '../../src/host/index.ts'
import { instanceTag } from '../../src/kernel/link/index.ts'
import type { Packet, Target } from '../../src/model/index.ts'
import { type Change, createLocalAddresses, createUserspaceBackend } from '../../src/proxy/index.ts'
import { loopbackWorld } from '../../src/proxy/testing/index.ts'
import { actOnFlows, type FlowRequest as ClientRequest } from './flow-clients.ts'
import { createFlows, type FlowRequest } from './flows.ts'

export type Request =
  | FlowRequest
  /** Single datagrams of one flow, which lab tests do not ask for. */
  | { readonly op: 'flow'; readonly request: ClientRequest }
  | { readonly op: 'pod'; readonly target: Target }
  | { readonly op: 'send'; readonly packet: Packet }
  | { readonly op: 'start'; readonly serviceCIDRs: readonly string[] }
  | { readonly op: 'sync'; readonly change: Change }
  | { readonly op: 'stop' }

const localAddresses = createLocalAddresses(realExec, instanceTag('/lab'))
const world = loopbackWorld()
const flows = createFlows()
let backend = createUserspaceBackend({ serviceCIDRs: [], localAddresses })
let stop = new AbortController()
let stopped: Promise<void> = Promise.resolve()

const act = async (request: Request): Promise<unknown> => {
  switch (request.op) {
    case 'pod':
      return world.addPod(request.target)
    case 'send':
      return world.send(request.packet)
    case 'start':
      backend = createUserspaceBackend({ serviceCIDRs: request.serviceCIDRs, localAddresses, drainMs: 0 })
      stop = new AbortController()
      stopped = (await backend.start(stop.signal, () => {})).stopped
      return undefined
    case 'sync':
      return backend.sync(request.change)
    case 'stop':
      stop.abort()
      return stopped
    case 'flow':
      return actOnFlows(request.request)
    default:
      return flows.act(request)
  }
}

process.on('message', ({ id, request }: { readonly id: number; readonly request: Request }) => {
  act(request).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ id: 0 })
