import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configMap, startTestServer, type TestServer } from '../testing/test-server.ts'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.stop())

const inDefault = { resource: 'configmaps', namespace: 'default' } as const
const create = (name: string, metadata = {}) => api.ask({ ...inDefault, verb: 'create', body: configMap(name, {}, metadata) })
const remove = (name: string, body: object = {}, query = {}) => api.ask({ ...inDefault, verb: 'delete', name, body, query })
const get = (name: string) => api.ask({ ...inDefault, verb: 'get', name })

describe('delete', () => {
  test('answers a Status with the uid, and the object is gone', async () => {
    const created = await create('plain')
    expect(await remove('plain')).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'plain', kind: 'configmaps', uid: created.metadata.uid },
    })
    await expect(get('plain')).rejects.toMatchObject({ code: 404 })
    await expect(remove('plain')).rejects.toMatchObject({ code: 404, message: 'configmaps "plain" not found' })
  })

  test('finalizers hold it, marked as being deleted; a second delete changes nothing', async () => {
    await create('held', { finalizers: ['example.com/x'] })
    const marked = await remove('held')
    expect(marked.metadata).toMatchObject({ deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0 })
    expect((await remove('held')).metadata.resourceVersion).toBe(marked.metadata.resourceVersion)
  })

  test.each([
    ['Foreground', ['foregroundDeletion']],
    ['Orphan', ['orphan']],
  ])('propagationPolicy %s is a finalizer for the garbage collector', async (propagationPolicy, finalizers) => {
    const name = propagationPolicy.toLowerCase()
    await create(name)
    expect((await remove(name, { propagationPolicy })).metadata.finalizers).toEqual(finalizers)
  })

  test.each([
    ['a policy that does not exist', { propagationPolicy: 'Later' }, 422],
    ['two policies', { propagationPolicy: 'Orphan', orphanDependents: true }, 422],
    ['another uid', { preconditions: { uid: 'x' } }, 409],
    ['another resourceVersion', { preconditions: { resourceVersion: '1' } }, 409],
    ['options of another kind', { kind: 'Pod' }, 400],
    ['a wrong type', { gracePeriodSeconds: 'soon' }, 400],
  ])('%s is refused', async (_, body, code) => {
    await create('refused').catch(() => undefined)
    await expect(remove('refused', body)).rejects.toMatchObject({ code })
    await get('refused')
  })

  test('dryRun=All deletes nothing', async () => {
    await create('dry')
    await remove('dry', {}, { dryRun: 'All' })
    await get('dry')
  })

  test('a collection is deleted by selector', async () => {
    for (const name of ['one', 'two']) await create(`set-${name}`, { labels: { set: 'yes' } })
    await create('set-other')
    const deleted = await api.ask({ ...inDefault, verb: 'deletecollection', query: { labelSelector: 'set=yes' } })
    expect(deleted.items).toHaveLength(2)
    await get('set-other')
    await expect(get('set-one')).rejects.toMatchObject({ code: 404 })
  })
})

describe('pods', () => {
  const pods = { resource: 'pods', namespace: 'default' } as const
  const pod = (name: string, spec = {}) =>
    api.ask({
      ...pods,
      verb: 'create',
      body: { metadata: { name }, spec: { containers: [{ name: 'c', image: 'echo' }], ...spec } },
    })
  const bind = (name: string) =>
    api.ask({ ...pods, verb: 'create', name, subresource: 'binding', body: { target: { kind: 'Node', name: 'node-1' } } })
  const removePod = (name: string, body: object = {}) => api.ask({ ...pods, verb: 'delete', name, body })

  test('one without a node goes at once', async () => {
    await pod('unbound')
    await removePod('unbound')
    await expect(api.ask({ ...pods, verb: 'get', name: 'unbound' })).rejects.toMatchObject({ code: 404 })
  })

  test('one with a node gets its grace period; it can be shortened but not extended; zero ends it', async () => {
    await pod('bound', { terminationGracePeriodSeconds: 20 })
    await bind('bound')
    expect((await removePod('bound')).metadata.deletionGracePeriodSeconds).toBe(20)
    expect((await removePod('bound', { gracePeriodSeconds: 60 })).metadata.deletionGracePeriodSeconds).toBe(20)
    expect((await removePod('bound', { gracePeriodSeconds: 5 })).metadata.deletionGracePeriodSeconds).toBe(5)
    await removePod('bound', { gracePeriodSeconds: 0 })
    await expect(api.ask({ ...pods, verb: 'get', name: 'bound' })).rejects.toMatchObject({ code: 404 })
  })

  test('one that waits for its end can still be updated without losing that', async () => {
    await pod('waiting')
    await bind('waiting')
    const marked = await removePod('waiting')
    const status = { ...marked, status: { ...marked.status, phase: 'Running' } }
    const updated = await api.ask({ ...pods, verb: 'update', name: 'waiting', subresource: 'status', body: status })
    expect(updated.metadata.deletionTimestamp).toBe(marked.metadata.deletionTimestamp)
    expect(updated.status.phase).toBe('Running')
  })

  test('it is bound once', async () => {
    await pod('twice')
    await bind('twice')
    await expect(bind('twice')).rejects.toMatchObject({
      code: 409,
      message: expect.stringContaining('pod twice is already assigned to node "node-1"'),
    })
  })

  test('an eviction deletes it', async () => {
    await pod('evicted')
    await api.ask({ ...pods, verb: 'create', name: 'evicted', subresource: 'eviction', body: {} })
    await expect(api.ask({ ...pods, verb: 'get', name: 'evicted' })).rejects.toMatchObject({ code: 404 })
  })
})

describe('namespaces', () => {
  const namespaces = { resource: 'namespaces' } as const

  test.each(['default', 'kube-system', 'kube-public'])('%s may not be deleted', async (name) => {
    await expect(api.ask({ ...namespaces, verb: 'delete', name })).rejects.toMatchObject({
      code: 403,
      message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
    })
  })

  test('one waits, terminating, until its finalizer is taken away', async () => {
    const created = await api.ask({ ...namespaces, verb: 'create', body: { metadata: { name: 'team' } } })
    expect(created).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'team' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    })
    const marked = await api.ask({ ...namespaces, verb: 'delete', name: 'team' })
    expect(marked.status.phase).toBe('Terminating')
    const body = { ...marked, spec: { finalizers: [] } }
    await api.ask({ ...namespaces, verb: 'update', name: 'team', subresource: 'finalize', body })
    await expect(api.ask({ ...namespaces, verb: 'get', name: 'team' })).rejects.toMatchObject({ code: 404 })
  })
})
