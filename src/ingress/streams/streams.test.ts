import { afterEach, describe, expect, it } from 'vitest'
import { type ConfigMap, configMapKind, type EndpointSlice, endpointSliceKind, serviceKind } from '../../api/index.ts'
import { endpointSlice, service } from '../../api/testing/index.ts'
import { silentLogger } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { fakeApi } from '../../client/testing/index.ts'
import { createReferencedInformer } from '../../informers/index.ts'
import { fakeInformer } from '../../informers/testing/index.ts'
import { sliceIndexes } from '../../model/index.ts'
import type { StreamFailure, StreamPort } from './stream-table.ts'
import { createStreams } from './streams.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

const ports = (data: Record<string, string>, name = 'tcp'): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'ingress', name },
  data,
})
const slice = (...addresses: readonly string[]): EndpointSlice => {
  const built = endpointSlice('web')
    .port(8080, 'http')
    .endpoints(...addresses)
    .build()
  // The cache gives each its own version.
  const { resourceVersion: _, ...metadata } = built.metadata
  return { ...built, metadata }
}

const start = async (
  data: Record<string, string>,
  failures: readonly StreamFailure[] = [],
  trustedProxies: readonly string[] = [],
) => {
  const api = fakeApi()
  const clock = pausedClock()
  api.put(configMapKind, ports(data))
  const services = fakeInformer(serviceKind, [service('web').port(80, 'http').build(), service('other').port(80).build()])
  const slices = fakeInformer(endpointSliceKind, [slice('10.0.0.1')], { indexes: sliceIndexes })
  const configMaps = createReferencedInformer({ client: api.client, kind: configMapKind, clock, log: silentLogger })
  const updates: (readonly StreamPort[])[] = []
  const events: string[] = []
  const world = { api, clock, services, slices, updates, events, failures }
  const streams = createStreams({
    configMaps,
    services,
    slices,
    tcp: 'ingress/tcp',
    udp: 'ingress/udp',
    reserved: new Map(),
    trustedProxies,
    engine: {
      update: async (next) => {
        updates.push(next)
        return world.failures
      },
    },
    recorder: { event: (object, { reason }) => events.push(`${object.metadata.name} ${reason}`) },
    clock,
    log: silentLogger,
  })
  const abort = new AbortController()
  const following = await configMaps.start(abort.signal)
  const running = await streams.start(abort.signal)
  stops.push(async () => {
    abort.abort()
    await Promise.all([following.stopped, running.stopped])
  })
  return world
}

describe('TCP and UDP services by ConfigMap', () => {
  it('are told to the engine before the start is done', async () => {
    const { updates } = await start({ 9000: 'default/web:80' })
    expect(updates).toEqual([[expect.objectContaining({ port: 9000, endpoints: [{ address: '10.0.0.1', port: 8080 }] })]])
  })

  it('follow the ConfigMap, the Services and their endpoints, and tell nothing that is told', async () => {
    const { api, clock, services, slices, updates } = await start({ 9000: 'default/web:80' })
    slices.set(slice('10.0.0.2'))
    await clock.advance(0)
    expect(updates.at(-1)?.[0]?.endpoints).toEqual([{ address: '10.0.0.2', port: 8080 }])
    api.put(configMapKind, ports({ 9000: 'default/web:80', 9001: 'default/web:http' }))
    api.put(configMapKind, ports({ 5353: 'default/web:80' }, 'udp'))
    await clock.advance(0)
    expect(updates.at(-1)?.map(({ protocol, port }) => `${protocol} ${port}`)).toEqual(['TCP 9000', 'TCP 9001', 'UDP 5353'])
    const before = updates.length
    services.set(service('other').port(81).build())
    await clock.advance(0)
    expect(updates).toHaveLength(before)
    services.delete({ namespace: 'default', name: 'web' })
    await clock.advance(0)
    expect(updates.at(-1)?.[0]?.endpoints).toEqual([])
  })

  it('tell each problem once, on the ConfigMap, and serve the others', async () => {
    const { api, clock, events, updates } = await start({ 9000: 'default/web:80', x: 'default/web:80', 9001: 'default/gone:80' })
    expect(updates.at(-1)?.map(({ port }) => port)).toEqual([9000, 9001])
    expect(events).toEqual(['tcp StreamInvalid', 'tcp StreamServiceNotFound'])
    api.put(configMapKind, ports({ 9000: 'default/web:http', x: 'default/web:80', 9001: 'default/gone:80' }))
    await clock.advance(0)
    expect(events).toHaveLength(2)
  })

  it('try again a port that cannot be had, and say so once', async () => {
    const world = await start({ 9000: 'default/web:80' }, [{ protocol: 'TCP', port: 9000, code: 'EADDRINUSE' }])
    await world.clock.advance(11_000)
    expect(world.updates.length).toBeGreaterThanOrEqual(3)
    expect(world.events).toEqual(['tcp StreamPortUnavailable'])
    world.failures = []
    await world.clock.advance(5_000)
    const before = world.updates.length
    await world.clock.advance(60_000)
    expect(world.updates).toHaveLength(before)
  })

  it.each([
    ['nobody is trusted to send PROXY headers', [], ['tcp StreamProxyUntrusted']],
    ['somebody is', ['10.0.0.0/8'], []],
  ])('say when %s', async (_title, trusted, expected) => {
    const { events } = await start({ 9000: 'default/web:80:PROXY' }, [], trusted)
    expect(events).toEqual(expected)
  })
})
