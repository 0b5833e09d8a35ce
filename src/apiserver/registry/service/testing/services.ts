import { afterAll, afterEach, expect } from 'vitest'
import { ApiError, type Service, type ServiceSpec, serviceKind } from '../../../../api/index.ts'
import { type AllocatingApi, allocationsOf, newService, startAllocatingApi } from '../../../allocators/testing/allocating-api.ts'

type Start = (options?: Parameters<typeof startAllocatingApi>[0]) => Promise<AllocatingApi>

/** Servers for the tests of a file, one for each set of options; after each test its Services are deleted, so that every test begins with default/kubernetes alone. */
export const allocatingServers = (): Start => {
  const servers = new Map<string, Promise<AllocatingApi>>()
  afterEach(async () => {
    for (const server of servers.values()) await deleteServices(await server)
  })
  afterAll(async () => {
    for (const server of servers.values()) await (await server).remove()
  })
  return (options = {}) => {
    const key = JSON.stringify(options)
    const server = servers.get(key) ?? startAllocatingApi(options)
    servers.set(key, server)
    return server
  }
}

/** All but default/kubernetes. */
export const deleteServices = async ({ client }: AllocatingApi): Promise<void> => {
  const { items } = await client.list(serviceKind)
  const mine = items.map(({ metadata }) => metadata).filter(({ name }) => name !== 'kubernetes')
  await Promise.all(mine.map(({ namespace, name }) => client.delete(serviceKind, { namespace, name })))
}

export const web = { namespace: 'default', name: 'web' }
/** Of an IPv4 address. */
export const lastByte = (ip: string | undefined): number => Number(ip?.split('.')[3])
/** The message of a refusal; `accepted` when there is none. */
export const refusal = (doing: Promise<unknown>): Promise<string> =>
  doing.then(
    () => 'accepted',
    (error: unknown) => (error instanceof ApiError ? error.message : String(error)),
  )

/** Fails unless what is allocated is what the Services have. */
export const expectNoLeak = async (api: AllocatingApi) => {
  const { addresses, ports, claimedAddresses, claimedPorts } = await allocationsOf(api)
  expect(addresses).toEqual(claimedAddresses)
  expect(ports).toEqual([...new Set(claimedPorts)])
  expect(new Set(addresses).size).toBe(addresses.length)
}

/** Replaces the spec of `web` as `kubectl replace` does: what is not written is not sent. */
export const replace = async (api: AllocatingApi, spec: Partial<ServiceSpec>): Promise<Service> =>
  api.client.update(serviceKind, { ...newService('web', spec), apiVersion: 'v1', kind: 'Service' })
