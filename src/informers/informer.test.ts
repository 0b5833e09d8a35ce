import { configMapKind } from '../api/index.ts'
import { realClock, silentLogger } from '../base/index.ts'
import { fakeApi } from '../client/testing/index.ts'
import { createInformer } from './create-informer.ts'
import { informerConformance } from './informer.conformance.ts'
import { fakeInformer, until } from './testing/index.ts'

informerConformance('fake', async (objects, indexes) => {
  const informer = fakeInformer(configMapKind, objects, { indexes })
  const stop = new AbortController()
  const { stopped } = await informer.start(stop.signal)
  return {
    informer,
    set: async (object) => void informer.set(object),
    remove: async (name) => informer.delete({ namespace: 'default', name }),
    close: async () => {
      stop.abort()
      await stopped
    },
  }
})

for (const watchList of [true, false]) {
  informerConformance(`reflector, ${watchList ? 'streaming the initial state' : 'listing it'}`, async (objects, indexes) => {
    const api = fakeApi({ watchList })
    for (const object of objects) api.put(configMapKind, object)
    const stop = new AbortController()
    const informer = createInformer({ client: api.client, kind: configMapKind, indexes, clock: realClock, log: silentLogger })
    const { stopped } = await informer.start(stop.signal)
    await informer.waitForSync(stop.signal)
    return {
      informer,
      set: async (object) => {
        const { namespace, name, resourceVersion } = api.put(configMapKind, object).metadata
        await until(informer, () => informer.get(namespace, name)?.metadata.resourceVersion === resourceVersion)
      },
      remove: async (name) => {
        api.remove(configMapKind, { namespace: 'default', name })
        await until(informer, () => informer.get('default', name) === undefined)
      },
      close: async () => {
        stop.abort()
        await stopped
      },
    }
  })
}
