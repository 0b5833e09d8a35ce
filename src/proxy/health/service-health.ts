import { familyOf } from '../../ip/index.ts'
import type { Forwarding, NodeView } from '../../model/index.ts'
import { type HealthServer, openHealthServer } from './server.ts'

/** One HTTP server for each Service with a healthCheckNodePort, kept in step with the Forwardings. */
export interface ServiceHealthServers {
  /** Gives one line for each server that could not listen; it is tried again at the next change of its Service. */
  sync(changed: readonly Forwarding[], deleted: readonly string[], node: NodeView): Promise<readonly HealthProblem[]>
  close(): Promise<void>
}

interface HealthProblem {
  readonly namespace: string
  readonly name: string
  readonly message: string
}

interface Entry {
  readonly forwarding: Forwarding
  readonly port: number
  readonly addresses: string
  readonly server: HealthServer
}

export const createServiceHealthServers = (isProxyHealthy: () => boolean): ServiceHealthServers => {
  const entries = new Map<string, Entry>()
  let nodePortAddresses = ''
  const close = async (key: string): Promise<void> => {
    const entry = entries.get(key)
    entries.delete(key)
    await entry?.server.close()
  }
  const syncOne = async (forwarding: Forwarding, node: NodeView): Promise<readonly HealthProblem[]> => {
    const { key, namespace, name, healthCheck } = forwarding
    if (healthCheck === undefined) {
      await close(key)
      return []
    }
    const addresses = node.nodePortAddresses.filter((address) => familyOf(address) === forwarding.family)
    const health = { namespace, name, localEndpoints: healthCheck.localEndpoints }
    const entry = entries.get(key)
    if (entry?.port === healthCheck.port && entry.addresses === addresses.join() && entry.server.problems.length === 0) {
      entry.server.update(health)
      entries.set(key, { ...entry, forwarding })
      return []
    }
    await close(key)
    const server = await openHealthServer({ addresses, port: healthCheck.port }, health, isProxyHealthy)
    entries.set(key, { forwarding, port: healthCheck.port, addresses: addresses.join(), server })
    return server.problems.map((message) => ({ namespace, name, message }))
  }
  return {
    async sync(changed, deleted, node) {
      for (const key of deleted) if (entries.has(key)) await close(key)
      const problems: HealthProblem[] = []
      const moved = node.nodePortAddresses.join() !== nodePortAddresses
      nodePortAddresses = node.nodePortAddresses.join()
      const told = new Set(changed.map(({ key }) => key))
      const others = moved ? [...entries.values()].map(({ forwarding }) => forwarding).filter(({ key }) => !told.has(key)) : []
      for (const forwarding of [...changed, ...others]) {
        // Most Services have none: skip without a turn of the loop.
        if (forwarding.healthCheck === undefined && !entries.has(forwarding.key)) continue
        problems.push(...(await syncOne(forwarding, node)))
      }
      return problems
    },
    close: async () => void (await Promise.all([...entries.keys()].map(close))),
  }
}
