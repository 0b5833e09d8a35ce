import { describe, expect, it } from 'vitest'
import { ApiError, type ConfigMap, configMapKind, type KubeObject, nodeKind } from '../../api/index.ts'
import { type Rig, readyNode, withControllers } from '../testing/rig.ts'
import { createGarbageCollector } from './index.ts'

const object = (
  name: string,
  owners: readonly KubeObject[] = [],
  { block = true, finalizers = [] as readonly string[] } = {},
): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace: 'default',
    finalizers,
    ownerReferences: owners.map((owner) => ({
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      name: owner.metadata.name,
      uid: owner.metadata.uid ?? '',
      blockOwnerDeletion: block,
    })),
  },
})

const withCollector = (
  test: (
    rig: Rig & {
      names(): string
      make(object: ConfigMap): ConfigMap
      remove(name: string, policy: 'Background' | 'Foreground' | 'Orphan'): Promise<void>
    },
  ) => Promise<void>,
): Promise<void> =>
  withControllers(
    (deps) => [createGarbageCollector(deps)],
    (rig) =>
      test({
        ...rig,
        names: () =>
          rig.api
            .objects(configMapKind)
            .map(({ metadata }) => metadata.name)
            .join(),
        make: (made) => rig.api.put(configMapKind, made),
        remove: async (name, propagationPolicy) => {
          await rig.advance()
          await rig.api.client.delete(configMapKind, { namespace: 'default', name }, { propagationPolicy })
          await rig.advance(1_000)
        },
      }),
  )

describe('garbage collector', () => {
  it('deletes what has lost its owner, and what that owned', () =>
    withCollector(async ({ make, remove, names }) => {
      const owner = make(object('a'))
      const child = make(object('b', [owner]))
      make(object('c', [child]))
      make(object('other'))
      await remove('a', 'Background')
      expect(names()).toBe('other')
    }))

  it('keeps what still has an owner, without the one that is gone', () =>
    withCollector(async ({ api, make, remove, names }) => {
      const [a, b] = [make(object('a')), make(object('b'))]
      make(object('child', [a, b]))
      await remove('a', 'Background')
      expect(names()).toBe('b,child')
      expect(api.objects(configMapKind)[1]?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['b'])
    }))

  it('holds an owner until its dependents are gone, when it is deleted in the foreground', () =>
    withCollector(async ({ api, make, remove, names, advance }) => {
      const owner = make(object('a'))
      const child = make(object('b', [owner], { finalizers: ['example.com/hold'] }))
      make(object('c', [child]))
      make(object('loose', [owner], { block: false }))
      await remove('a', 'Foreground')
      expect(names()).toBe('a,b')
      expect(api.objects(configMapKind)[0]?.metadata.finalizers).toEqual(['foregroundDeletion'])
      await api.client.patch(
        configMapKind,
        { namespace: 'default', name: 'b' },
        { type: 'merge', value: { metadata: { finalizers: [] } } },
      )
      await advance(1_000)
      expect(names()).toBe('')
    }))

  it('sets dependents free when it is told to orphan them', () =>
    withCollector(async ({ api, make, remove, names }) => {
      const owner = make(object('a'))
      make(object('b', [owner]))
      await remove('a', 'Orphan')
      expect(names()).toBe('b')
      expect(api.objects(configMapKind)[0]?.metadata.ownerReferences).toEqual([])
    }))

  it('collects what was left behind while it did not run, and a reference to another object of the same name', () =>
    withCollector(async ({ make, names, advance }) => {
      make(object('a'))
      const gone = { ...object('a'), metadata: { ...object('a').metadata, uid: 'another-uid' } }
      make(object('b', [gone]))
      await advance(1_000)
      expect(names()).toBe('a')
    }))

  it('deletes nothing while an owner cannot be looked up', () =>
    withCollector(async ({ api, make, names, advance }) => {
      api.intercept = ({ verb }) => {
        if (verb === 'get') throw new ApiError({ code: 500, message: 'no' })
      }
      const gone = { ...object('gone'), metadata: { ...object('gone').metadata, uid: 'gone' } }
      make(object('b', [gone]))
      await advance(60_000)
      expect(names()).toBe('b')
      api.intercept = undefined
      await advance(60_000)
      expect(names()).toBe('')
    }))

  it('leaves alone what an unknown kind owns', () =>
    withCollector(async ({ make, names, advance }) => {
      const foreign = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w', uid: 'w' } }
      make(object('b', [foreign]))
      await advance(60_000)
      expect(names()).toBe('b')
    }))

  it('knows owners that have no namespace', () =>
    withCollector(async ({ api, make, names, advance }) => {
      const node = api.put(nodeKind, readyNode('one'))
      make(object('b', [node]))
      await advance(1_000)
      expect(names()).toBe('b')
      api.remove(nodeKind, { name: 'one' })
      await advance(1_000)
      expect(names()).toBe('')
    }))
})
