import { describe, expect, it } from 'vitest'
import type { ConfigMap } from '../api/index.ts'
import type { Change, Indexes, Informer } from './informer.ts'

/** How one implementation is driven: the world changes through `set` and `remove`, which resolve when the informer has seen it. */
export interface InformerHarness {
  readonly informer: Informer<ConfigMap>
  set(object: ConfigMap): Promise<void>
  remove(name: string): Promise<void>
  close(): Promise<void>
}

export const configMap = (name: string, data: Readonly<Record<string, string>> = {}, namespace = 'default'): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
})

/** What every `Informer` does. `open` resolves when the informer is synced with `objects`. */
export const informerConformance = (
  name: string,
  open: (objects: readonly ConfigMap[], indexes: Indexes<ConfigMap>) => Promise<InformerHarness>,
): void => {
  const using = async (
    objects: readonly ConfigMap[],
    run: (harness: InformerHarness) => Promise<void>,
    indexes: Indexes<ConfigMap> = {},
  ): Promise<void> => {
    const harness = await open(objects, indexes)
    try {
      await run(harness)
    } finally {
      await harness.close()
    }
  }
  const tell = ({ type, object }: Change<ConfigMap>): string =>
    `${type} ${object.metadata.name} ${object.data?.['v'] ?? ''}`.trim()

  describe(`informer conformance: ${name}`, () => {
    it('lists by namespace and by name', () =>
      using([configMap('a'), configMap('b'), configMap('a', {}, 'other')], async ({ informer }) => {
        expect(informer.synced).toBe(true)
        await informer.waitForSync(new AbortController().signal)
        expect(informer.list()).toHaveLength(3)
        expect(informer.list('default').map((object) => object.metadata.name)).toEqual(['a', 'b'])
        expect(informer.get('other', 'a')?.metadata.namespace).toBe('other')
        expect(informer.get('default', 'c')).toBeUndefined()
        expect(informer.get(undefined, 'a')).toBeUndefined()
      }))

    it('finds by index, and follows when the value changes', () =>
      using(
        [configMap('a', { color: 'red' }), configMap('b', { color: 'red' })],
        async ({ informer, set, remove }) => {
          const found = (value: string): readonly string[] =>
            informer.byIndex('color', value).map((object) => object.metadata.name)
          expect(found('red')).toEqual(['a', 'b'])
          await set(configMap('a', { color: 'blue' }))
          expect([found('red'), found('blue')]).toEqual([['b'], ['a']])
          await remove('b')
          expect(found('red')).toEqual([])
        },
        { color: (object) => [object.data?.['color'] ?? ''] },
      ))

    it('throws for an index that nobody declared', () =>
      using([], async ({ informer }) => {
        expect(() => informer.byIndex('nosuch', 'x')).toThrow('no index nosuch')
        expect(() => informer.byIndex('__proto__', 'x')).toThrow('no index __proto__')
      }))

    it('tells of every change after it is in the cache', () =>
      using([configMap('a', { v: '1' })], async ({ informer, set, remove }) => {
        const told: string[] = []
        informer.onChange((change) => {
          const { namespace, name } = change.object.metadata
          const cached = informer.get(namespace, name)
          expect(cached).toBe(change.type === 'deleted' ? undefined : change.object)
          told.push(tell(change))
        })
        await set(configMap('b', { v: '1' }))
        await set(configMap('a', { v: '2' }))
        await remove('b')
        expect(told).toEqual(['added a 1', 'added b 1', 'updated a 2', 'deleted b 1'])
      }))

    it('gives the previous object with an update', () =>
      using([configMap('a', { v: '1' })], async ({ informer, set }) => {
        const previous: (string | undefined)[] = []
        informer.onChange((change) => {
          if (change.type === 'updated') previous.push(change.previous.data?.['v'])
        })
        await set(configMap('a', { v: '2' }))
        expect(previous).toEqual(['1'])
      }))

    it('tells no more after the handler was stopped', () =>
      using([], async ({ informer, set }) => {
        const told: string[] = []
        const handler = (change: Change<ConfigMap>): void => void told.push(tell(change))
        const stop = informer.onChange(handler)
        informer.onChange(handler)
        stop()
        stop()
        await set(configMap('a'))
        expect(told).toEqual(['added a'])
      }))

    it('goes on when handlers throw or reject, and tells the others', () =>
      using([], async ({ informer, set }) => {
        const told: string[] = []
        informer.onChange(() => {
          throw new Error('handler is broken')
        })
        informer.onChange(async () => {
          throw new Error('async handler is broken')
        })
        informer.onChange((change) => void told.push(tell(change)))
        await set(configMap('a'))
        await set(configMap('b'))
        expect(told).toEqual(['added a', 'added b'])
      }))

    it('tells a handler that joins during a change of each object once', () =>
      using([], async ({ informer, set }) => {
        const told: string[] = []
        let joined = false
        informer.onChange(() => {
          if (joined) return
          joined = true
          informer.onChange((change) => void told.push(tell(change)))
        })
        await set(configMap('a'))
        await set(configMap('b'))
        expect(told).toEqual(['added a', 'added b'])
      }))

    it('survives an index function that throws', () =>
      using(
        [configMap('a')],
        async ({ informer, set }) => {
          expect(informer.get('default', 'a')).toBeDefined()
          await set(configMap('b'))
          expect(informer.byIndex('broken', 'x')).toEqual([])
        },
        {
          broken: () => {
            throw new Error('index is broken')
          },
        },
      ))

    it('stops when its signal aborts', async () => {
      const harness = await open([configMap('a')], {})
      await harness.close()
      expect(harness.informer.get('default', 'a')).toBeDefined()
    })
  })
}
