import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configMap, startTestServer, type TestObject, type TestServer } from '../testing/test-server.ts'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.stop())

const inDefault = { resource: 'configmaps', namespace: 'default' } as const
const create = (name: string, data = {}) => api.ask({ ...inDefault, verb: 'create', body: configMap(name, data) })
const put = (body: TestObject, name: string = body.metadata.name) => api.ask({ ...inDefault, verb: 'update', name, body })
const deployments = { group: 'apps', resource: 'deployments', namespace: 'default' } as const
const deployment = (name: string) => ({
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'echo' }] } },
  },
})

describe('update', () => {
  test('keeps uid and creation time, and takes the rest', async () => {
    const old = await create('kept', { a: '1' })
    const updated = await put(configMap('kept', { a: '2' }, { labels: { x: 'y' } }))
    expect(updated).toMatchObject({
      data: { a: '2' },
      metadata: { uid: old.metadata.uid, creationTimestamp: old.metadata.creationTimestamp, labels: { x: 'y' } },
    })
    expect(Number(updated.metadata.resourceVersion)).toBeGreaterThan(Number(old.metadata.resourceVersion))
  })

  test('one that changes nothing gets no new resourceVersion', async () => {
    const old = await create('same', { a: '1' })
    expect((await put(old)).metadata.resourceVersion).toBe(old.metadata.resourceVersion)
  })

  test('an old resourceVersion is a conflict, in the words that clients look for', async () => {
    const old = await create('stale', { a: '1' })
    await put({ ...old, data: { a: '2' } })
    await expect(put({ ...old, data: { a: '3' } })).rejects.toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes to the latest version and try again',
    })
  })

  test('without a resourceVersion the last writer wins, however many write', async () => {
    await create('busy')
    const values = Array.from({ length: 16 }, (_, index) => String(index))
    await Promise.all(values.map((value) => put(configMap('busy', { value }))))
    const read = await api.ask({ ...inDefault, verb: 'get', name: 'busy' })
    expect(values).toContain(read.data.value)
  })

  test.each([
    ['another name', configMap('other'), 400, 'the name of the object (other) does not match the name on the URL (refused)'],
    ['another namespace', configMap('refused', {}, { namespace: 'x' }), 400, 'does not match the namespace on the URL'],
    ['another uid', configMap('refused', {}, { uid: 'x' }), 409, 'Precondition failed: UID in precondition: x'],
    [
      'another creation time',
      configMap('refused', {}, { creationTimestamp: '2020-01-01T00:00:00Z' }),
      422,
      'metadata.creationTimestamp',
    ],
  ])('refuses %s', async (_, body, code, message) => {
    await create('refused').catch(() => undefined)
    await expect(put(body, 'refused')).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })

  test('generation counts changes of the spec only, and status writes are apart', async () => {
    const created = await api.ask({ ...deployments, verb: 'create', body: { ...deployment('gen'), status: { replicas: 9 } } })
    expect(created).toMatchObject({ metadata: { generation: 1 }, status: {} })
    const labelled = { ...created, metadata: { ...created.metadata, labels: { a: 'b' } }, status: { replicas: 5 } }
    const updated = await api.ask({ ...deployments, verb: 'update', name: 'gen', body: labelled })
    expect(updated.metadata.generation).toBe(1)
    expect(updated.status).toEqual({})
    const scaled = { ...updated, spec: { ...updated.spec, replicas: 3 } }
    expect((await api.ask({ ...deployments, verb: 'update', name: 'gen', body: scaled })).metadata.generation).toBe(2)
    const status = await api.ask({
      ...deployments,
      verb: 'update',
      name: 'gen',
      subresource: 'status',
      body: { ...scaled, metadata: { name: 'gen' }, spec: { ...scaled.spec, replicas: 7 }, status: { replicas: 2 } },
    })
    expect(status).toMatchObject({ spec: { replicas: 3 }, status: { replicas: 2 }, metadata: { generation: 2 } })
  })

  test('a new finalizer on what is being deleted is refused, and the last one that goes takes the object along', async () => {
    await api.ask({ ...inDefault, verb: 'create', body: configMap('held', {}, { finalizers: ['example.com/a'] }) })
    const deleting = await api.ask({ ...inDefault, verb: 'delete', name: 'held' })
    const more = { ...deleting, metadata: { ...deleting.metadata, finalizers: ['example.com/a', 'example.com/b'] } }
    await expect(put(more)).rejects.toMatchObject({
      message: expect.stringContaining('no new finalizers can be added if the object is being deleted'),
    })
    await put({ ...deleting, metadata: { ...deleting.metadata, finalizers: [] } })
    await expect(api.ask({ ...inDefault, verb: 'get', name: 'held' })).rejects.toMatchObject({ code: 404 })
  })
})

describe('scale', () => {
  test('reads and writes the replicas of a Deployment', async () => {
    await api.ask({ ...deployments, verb: 'create', body: deployment('scaled') })
    const request = { ...deployments, name: 'scaled', subresource: 'scale' } as const
    const scale = await api.ask({ ...request, verb: 'get' })
    expect(scale).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 1 },
      status: { selector: 'app=scaled' },
    })
    expect((await api.ask({ ...request, verb: 'update', body: { ...scale, spec: { replicas: 4 } } })).spec.replicas).toBe(4)
    const patched = await api.ask({ ...request, verb: 'patch', patchType: 'merge', body: { spec: { replicas: 2 } } })
    expect(patched.spec.replicas).toBe(2)
    expect((await api.ask({ ...deployments, verb: 'get', name: 'scaled' })).spec.replicas).toBe(2)
    await expect(
      api.ask({ ...request, verb: 'patch', patchType: 'merge', body: { spec: { replicas: -1 } } }),
    ).rejects.toMatchObject({ message: expect.stringContaining('spec.replicas: Invalid value: -1') })
    await expect(api.ask({ ...request, verb: 'update', body: scale })).rejects.toMatchObject({ code: 409 })
  })
})

describe('patch', () => {
  const patch = (name: string, patchType: 'json' | 'merge' | 'strategic' | 'apply', body: unknown) =>
    api.ask({ ...inDefault, verb: 'patch', name, patchType, body })

  test.each([
    ['json', [{ op: 'replace', path: '/data/a', value: '2' }]],
    ['merge', { data: { a: '2', b: null } }],
    ['strategic', { data: { a: '2' } }],
  ] as const)('%s', async (type, body) => {
    await create(`patched-${type}`, { a: '1' })
    expect((await patch(`patched-${type}`, type, body)).data).toEqual({ a: '2' })
  })

  test('many at once are all applied', async () => {
    await create('counted')
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
    await Promise.all(keys.map((key) => patch('counted', 'merge', { data: { [key]: '' } })))
    expect(Object.keys((await api.ask({ ...inDefault, verb: 'get', name: 'counted' })).data)).toHaveLength(10)
  })

  test('a resourceVersion in the patch is a precondition', async () => {
    await create('conditional')
    await expect(patch('conditional', 'merge', { metadata: { resourceVersion: '1' } })).rejects.toMatchObject({ code: 409 })
  })

  test('the result is checked like any other object', async () => {
    await create('checked')
    await expect(patch('checked', 'merge', { data: { a: 1 } })).rejects.toMatchObject({ code: 400 })
    await expect(patch('checked', 'merge', { metadata: { labels: { '-': '' } } })).rejects.toMatchObject({ code: 422 })
    await expect(patch('checked', 'merge', { metadata: { name: 'other' } })).rejects.toMatchObject({ code: 400 })
    await expect(patch('missing', 'merge', {})).rejects.toMatchObject({ code: 404 })
  })

  test('server-side apply says that it is not there yet', async () => {
    await expect(patch('checked', 'apply', {})).rejects.toMatchObject({
      code: 415,
      message: expect.stringContaining('server-side apply is not supported by this server yet'),
    })
  })
})
