import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configMap, startTestServer, type TestServer } from '../testing/test-server.ts'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.stop())

const create = (body: unknown, query: Readonly<Record<string, string>> = {}) =>
  api.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body, query })

const refusal = async (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('expected a refusal'),
    (error: unknown) => error,
  )

describe('create', () => {
  test('gives uid, time and resourceVersion, and drops what a client may not set', async () => {
    const created = await create(
      configMap('meta', {}, { uid: 'mine', selfLink: '/x', deletionTimestamp: '2020-01-01T00:00:00Z', managedFields: [{}] }),
    )
    expect(created.metadata).toEqual({
      name: 'meta',
      namespace: 'default',
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      resourceVersion: expect.stringMatching(/^\d+$/),
    })
  })

  test('generateName makes names that differ', async () => {
    const body = { ...configMap(''), metadata: { generateName: 'web-' } }
    const [one, two] = [await create(body), await create(body)]
    expect(one.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    expect(one.metadata.name).not.toBe(two.metadata.name)
  })

  test('what exists is not made again', async () => {
    await create(configMap('twice'))
    await expect(create(configMap('twice'))).rejects.toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "twice" already exists',
    })
  })

  test('of many at once under one name, one is made', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => create(configMap('race'))))
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  })

  test.each([
    ['a namespace that is not there', { namespace: 'nowhere' }, configMap('x'), 'namespaces "nowhere" not found'],
    [
      'another namespace in the body',
      {},
      configMap('x', {}, { namespace: 'other' }),
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'a resourceVersion',
      {},
      configMap('x', {}, { resourceVersion: '1' }),
      'resourceVersion should not be set on objects to be created',
    ],
    ['another kind', {}, { ...configMap('x'), kind: 'Secret' }, 'Secret in version "v1" cannot be handled as a ConfigMap'],
    ['another version', {}, { ...configMap('x'), apiVersion: 'v2' }, 'the API version in the data (v2) does not match'],
    ['a wrong type', {}, { ...configMap('x'), data: { a: 1 } }, 'cannot unmarshal number into Go struct field'],
    ['no object', {}, [], 'must be a JSON object'],
    ['no name', {}, configMap(''), 'metadata.name: Required value: name or generateName is required'],
  ])('refuses %s', async (_, request, body, message) => {
    const error = await refusal(api.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body, ...request }))
    expect(error).toMatchObject({ message: expect.stringContaining(message) })
  })

  test('names every problem at once', async () => {
    const body = configMap('Bad_Name', { 'a b': '' }, { labels: { '-x': 'y z' } })
    const error = await refusal(create(body))
    expect(error).toMatchObject({
      code: 422,
      details: {
        causes: [{ field: 'metadata.name' }, { field: 'metadata.labels' }, { field: 'metadata.labels' }, { field: 'data[a b]' }],
      },
    })
  })

  test.each([
    ['Strict', 400],
    ['Warn', 201],
    ['Ignore', 201],
  ])('unknown fields with fieldValidation %s', async (fieldValidation, code) => {
    const body = { ...configMap(`unknown-${fieldValidation.toLowerCase()}`), dat: {} }
    const request = { verb: 'create', resource: 'configmaps', namespace: 'default', body, query: { fieldValidation } } as const
    const result = await api.answer(request).catch((error: unknown) => error)
    expect(result).toMatchObject({ code })
    if (code === 400) {
      expect(result).toMatchObject({
        message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dat"',
      })
    } else {
      expect(result).toMatchObject({ warnings: fieldValidation === 'Warn' ? ['unknown field "dat"'] : [] })
      expect(result).not.toHaveProperty('object.dat')
    }
  })

  test('dryRun=All answers as if it were done and stores nothing', async () => {
    const created = await create(configMap('dry'), { dryRun: 'All' })
    expect(created.metadata.uid).toBeDefined()
    expect(created.metadata.resourceVersion).toBeUndefined()
    await expect(api.ask({ verb: 'get', resource: 'configmaps', namespace: 'default', name: 'dry' })).rejects.toMatchObject({
      message: 'configmaps "dry" not found',
    })
    await expect(create(configMap('dry'), { dryRun: 'Some' })).rejects.toMatchObject({ code: 422 })
  })

  test('keys named __proto__ are data like any other', async () => {
    const body: unknown = JSON.parse(
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"proto"},"data":{"__proto__":"x"}}',
    )
    await create(body)
    const read = await api.ask({ verb: 'get', resource: 'configmaps', namespace: 'default', name: 'proto' })
    expect(JSON.stringify(read.data)).toBe('{"__proto__":"x"}')
  })

  test('a namespace that is being deleted takes nothing new', async () => {
    await api.ask({ verb: 'create', resource: 'namespaces', body: { metadata: { name: 'leaving' } } })
    await api.ask({ verb: 'delete', resource: 'namespaces', name: 'leaving' })
    await expect(
      api.ask({ verb: 'create', resource: 'configmaps', namespace: 'leaving', body: configMap('late') }),
    ).rejects.toMatchObject({
      code: 403,
      message: 'configmaps "late" is forbidden: unable to create new content in namespace leaving because it is being terminated',
      details: { causes: [{ reason: 'NamespaceTerminating' }] },
    })
  })

  test('secrets take stringData into data', async () => {
    const secret = await api.ask({
      verb: 'create',
      resource: 'secrets',
      namespace: 'default',
      body: { metadata: { name: 's' }, data: { a: 'YQ==' }, stringData: { b: 'b' } },
    })
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'YQ==', b: 'Yg==' } })
    expect(secret.stringData).toBeUndefined()
  })
})

describe('default IngressClass', () => {
  const ingress = (name: string, spec: object = {}, annotations: Readonly<Record<string, string>> = {}) =>
    api.ask({
      verb: 'create',
      group: 'networking.k8s.io',
      resource: 'ingresses',
      namespace: 'default',
      body: {
        metadata: { name, annotations },
        spec: { defaultBackend: { service: { name: 'a', port: { number: 80 } } }, ...spec },
      },
    })
  const ingressClass = (name: string) =>
    api.ask({
      verb: 'create',
      group: 'networking.k8s.io',
      resource: 'ingressclasses',
      body: {
        metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
        spec: { controller: 'example.com/c' },
      },
    })

  test('none, one and two of them', async () => {
    expect((await ingress('none')).spec.ingressClassName).toBeUndefined()
    await ingressClass('first')
    expect((await ingress('one')).spec.ingressClassName).toBe('first')
    expect((await ingress('named', { ingressClassName: 'other' })).spec.ingressClassName).toBe('other')
    expect((await ingress('annotated', {}, { 'kubernetes.io/ingress.class': 'x' })).spec.ingressClassName).toBeUndefined()
    await ingressClass('second')
    await expect(ingress('two')).rejects.toMatchObject({
      message: expect.stringContaining('2 default IngressClasses were found, only 1 allowed: first, second'),
    })
  })
})
