import type { AddressInfo, Server } from 'node:net'
import { DataPlane, defaultSettings, diffTables, emptyTable, type RouteTable } from '../../../l7/index.ts'
import { type BoundAt, bindPort } from './bind.ts'
import type { OpenerDeps, OpenListener } from './open-listener.ts'
import { routeTableOf } from './route-table.ts'

/** Which targets are usable is what the health checks say, nothing else. */
const settings = {
  ...defaultSettings,
  ejectAfterFailures: 0,
  ejectAfterRefused: 0,
  ejectRatio: 0,
  drainTimeoutMs: 2_000,
  drainIdleMs: 100,
}

/** An HTTP or HTTPS listener: an HTTP engine of its own, in this process. */
export const openLayer7 = async (at: BoundAt, isTls: boolean, deps: OpenerDeps): Promise<OpenListener> => {
  const dataPlane = new DataPlane({ settings })
  const server = isTls ? dataPlane.httpsServer() : dataPlane.httpServer()
  let table: RouteTable = emptyTable
  try {
    await bindPort(at, deps.portOffset, (port) => listening(server, { address: at.address, port }))
  } catch (error) {
    await dataPlane.stop()
    throw error
  }
  return {
    // A server that listens on an address has one of these.
    at: { address: at.address, port: (server.address() as AddressInfo).port },
    update: (listener, context) => {
      const next = routeTableOf(listener, {
        ...context,
        certificate: deps.certificate,
        isDead: (rule, target) => deps.checks.healthOf(rule, target) === 'Dead',
      })
      const delta = diffTables(table, next)
      if (delta !== undefined) dataPlane.update(delta)
      table = next
    },
    // The port is free at once; what is in progress has its time.
    close: () => dataPlane.stop(),
  }
}

const listening = (server: Server, { address, port }: BoundAt): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      server.off('error', reject)
      resolve()
    })
  })
