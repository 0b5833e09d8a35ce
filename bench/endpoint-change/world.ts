import { type EndpointSlice, endpointSliceKind, type Service, serviceKind } from '../../src/api/index.ts'
import { startTestServer } from '../../src/apiserver/testing/test-server.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { createInProcessClient } from '../../src/client/index.ts'
import { createInformer, type Informer } from '../../src/informers/index.ts'
import { fakeInformer } from '../../src/informers/testing/index.ts'
import { sliceIndexes } from '../../src/model/index.ts'

/** Where Services and slices live, and how a slice changes. */
export interface World {
  readonly name: string
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
  change(slice: EndpointSlice): Promise<void>
  close(): Promise<void>
}

export type Open = (services: readonly Service[], slices: readonly EndpointSlice[]) => Promise<World>

/** The change is in the informer already. */
export const proxyLevel: Open = async (all, allSlices) => {
  const services = fakeInformer(serviceKind, all)
  const slices = fakeInformer(endpointSliceKind, allSlices, { indexes: sliceIndexes })
  return {
    name: 'proxy alone',
    services,
    slices,
    change: async (changed) => void slices.set(changed),
    close: async () => {},
  }
}

/** The change is a durable write to the API server, in the same process. */
export const endToEnd: Open = async (all, allSlices) => {
  const api = await startTestServer()
  const client = createInProcessClient({
    port: api.server,
    user: { name: 'bench', groups: ['system:masters'] },
    userAgent: 'bench/1',
  })
  await inParallel(all, (each) => client.create(serviceKind, each))
  await inParallel(allSlices, (each) => client.create(endpointSliceKind, each))
  const common = { client, clock: realClock, log: silentLogger }
  const services = createInformer({ ...common, kind: serviceKind })
  const slices = createInformer({ ...common, kind: endpointSliceKind, indexes: sliceIndexes })
  const stop = new AbortController()
  const running = await Promise.all([services.start(stop.signal), slices.start(stop.signal)])
  return {
    name: 'API write to traffic',
    services,
    slices,
    change: async (changed) => void (await client.update(endpointSliceKind, changed)),
    async close() {
      stop.abort()
      await Promise.all(running.map(({ stopped }) => stopped))
      await api.stop()
    },
  }
}

const inParallel = async <T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> => {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await act(item)
  }
  await Promise.all(Array.from({ length: 64 }, worker))
}
