/**
 * Runs in one network namespace of the lab: pods, clients, and on the node the userspace backend, which needs its sockets there.
 * One request a message, answered by `{id, result}` or `{id, error}`.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Packet, Target } from '../../src/model/index.ts'
import { type Change, createUserspaceBackend } from '../../src/proxy/index.ts'
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

const exec = promisify(execFile)
const ip = async (...args: readonly string[]): Promise<void> => void (await exec('ip', args))
/** bind(2) accepts what a local route covers in IPv4 only; in IPv6 the address itself must be there. */
const args = (verb: 'replace' | 'del', cidr: string): readonly string[] =>
  cidr.endsWith('/128') ? ['addr', verb, cidr, 'dev', 'lo'] : ['route', verb, 'local', cidr, 'dev', 'lo']
const localAddresses = {
  async ensure(cidr: string) {
    await ip(...args('replace', cidr))
    // The kernel makes a new address usable a moment later, from a work queue.
    while (cidr.includes(':') && (await exec('ip', ['-6', 'addr', 'show', 'tentative', 'dev', 'lo'])).stdout !== '');
  },
  release: (cidr: string) => ip(...args('del', cidr)).catch(() => {}),
}
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
