import { Resolver } from 'node:dns/promises'
import { afterEach, expect, it } from 'vitest'
import { type EndpointSlice, endpointSliceKind, type Service, serviceKind } from '../api/index.ts'
import { realClock, silentLogger } from '../base/index.ts'
import { fakeInformer } from '../informers/testing/index.ts'
import { sliceIndexes } from '../model/index.ts'
import { createDns } from './controller.ts'

const stop = new AbortController()
afterEach(() => stop.abort())

const service = (name: string, spec: Service['spec']): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec,
})

const slice = (name: string, owner: string, addresses: readonly string[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': owner } },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address] })),
})

it('follows Services and their slices, and forgets both', async () => {
  const services = fakeInformer(serviceKind, [service('web', { clusterIP: '10.96.0.7' }), service('db', { clusterIP: 'None' })])
  const slices = fakeInformer(endpointSliceKind, [slice('db-1', 'db', ['10.0.0.1'])], { indexes: sliceIndexes })
  const dns = createDns({
    services,
    endpointSlices: slices,
    domain: 'c.local',
    address: '127.0.0.1',
    port: 0,
    upstreams: [],
    clock: realClock,
    log: silentLogger,
  })
  const running = await dns.start(stop.signal)
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${running.port}`])
  expect(await resolver.resolve4('web.shop.svc.c.local')).toEqual(['10.96.0.7'])
  expect(await resolver.resolve4('db.shop.svc.c.local')).toEqual(['10.0.0.1'])

  slices.set(slice('db-1', 'db', ['10.0.0.2']))
  expect(await resolver.resolve4('db.shop.svc.c.local')).toEqual(['10.0.0.2'])

  // A slice that changes its owner leaves the old one.
  services.set(service('db2', { clusterIP: 'None' }))
  slices.set(slice('db-1', 'db2', ['10.0.0.2']))
  await expect(resolver.resolve4('db.shop.svc.c.local')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  expect(await resolver.resolve4('db2.shop.svc.c.local')).toEqual(['10.0.0.2'])

  services.delete({ namespace: 'shop', name: 'web' })
  await expect(resolver.resolve4('web.shop.svc.c.local')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  stop.abort()
  await running.stopped
})
