import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Forwarding, NodeView } from '../../model/index.ts'
import { createServiceHealthServers } from './service-health.ts'

const HOST = '127.79.0.1'
const node: NodeView = { name: 'n1', addresses: [], podCIDRs: [], nodePortAddresses: [HOST, '::1'] }
const forwarding = (port: number | undefined, localEndpoints = 0): Forwarding => ({
  key: 'IPv4 default/web',
  namespace: 'default',
  name: 'web',
  family: 'IPv4',
  clusterIP: '10.96.0.10',
  ports: [],
  ...(port === undefined ? {} : { healthCheck: { port, localEndpoints } }),
})

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

let isHealthy = true
const servers = createServiceHealthServers(() => isHealthy)
afterEach(async () => {
  isHealthy = true
  await servers.close()
})
const get = async (port: number) => {
  const response = await fetch(`http://${HOST}:${port}/healthz`, { headers: { connection: 'close' } })
  return { status: response.status, body: await response.json() }
}

describe('healthCheckNodePort', () => {
  it('answers with the ready endpoints of this node, and follows them', async () => {
    const port = await freePort()
    await servers.sync([forwarding(port, 2)], [], node)
    expect(await get(port)).toEqual({
      status: 200,
      body: { service: { namespace: 'default', name: 'web' }, localEndpoints: 2, serviceProxyHealthy: true },
    })
    await servers.sync([forwarding(port, 0)], [], node)
    expect((await get(port)).status).toBe(503)
  })

  it('moves with the NodePort addresses, also when its Service stays the same', async () => {
    const port = await freePort()
    await servers.sync([forwarding(port, 2)], [], { ...node, nodePortAddresses: ['127.79.0.2'] })
    await expect(get(port)).rejects.toThrow()
    await servers.sync([], [], node)
    expect((await get(port)).status).toBe(200)
  })

  it('answers 503 while the proxy is not healthy', async () => {
    const port = await freePort()
    await servers.sync([forwarding(port, 2)], [], node)
    isHealthy = false
    expect(await get(port)).toMatchObject({ status: 503, body: { localEndpoints: 2, serviceProxyHealthy: false } })
  })

  it.each([
    ['the Service goes', (port: number) => servers.sync([], [forwarding(port).key], node)],
    ['the port goes', () => servers.sync([forwarding(undefined)], [], node)],
    ['the proxy stops', () => servers.close()],
  ])('closes when %s', async (_title, act) => {
    const port = await freePort()
    await servers.sync([forwarding(port, 1)], [], node)
    await act(port)
    await expect(get(port)).rejects.toThrow()
  })

  it('says when the port is taken, and listens at a later change', async () => {
    const other = createServer().listen(0, HOST)
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const problems = await servers.sync([forwarding(port, 1)], [], node)
    expect(problems).toMatchObject([{ namespace: 'default', name: 'web' }])
    expect(problems[0]?.message).toContain('EADDRINUSE')
    await new Promise((resolve) => other.close(resolve))
    expect(await servers.sync([forwarding(port, 1)], [], node)).toEqual([])
    expect((await get(port)).status).toBe(200)
  })
})
