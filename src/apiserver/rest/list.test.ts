import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configMap, startTestServer, type TestServer } from '../testing/test-server.ts'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const metadata = { labels: { odd: String('ace'.includes(name)) } }
    await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body: configMap(name, {}, metadata) })
  }
  await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'kube-system', body: configMap('z') })
})
afterAll(() => api.stop())

const list = (query: Readonly<Record<string, string>> = {}, request = {}) =>
  api.ask({ verb: 'list', resource: 'configmaps', namespace: 'default', query, ...request })
const names = (answer: { items: { metadata: { name: string } }[] }) => answer.items.map((item) => item.metadata.name).join('')

describe('list', () => {
  test('a namespace or all of them, in order of the key, with a resourceVersion', async () => {
    const answer = await list()
    expect(answer).toMatchObject({
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(api.store.revision) },
    })
    expect(names(answer)).toBe('abcde')
    expect(names(await list({}, { namespace: undefined }))).toBe('abcdez')
    expect(names(await list({}, { namespace: 'nowhere' }))).toBe('')
  })

  test('what was acknowledged is in the list', async () => {
    for (let round = 0; round < 20; round++) {
      const body = configMap(`fresh-${round}`)
      await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'kube-public', body })
      expect((await list({}, { namespace: 'kube-public' })).items).toHaveLength(round + 1)
    }
  })

  test.each([
    ['labelSelector', { labelSelector: 'odd=true' }, 'ace'],
    ['fieldSelector', { fieldSelector: 'metadata.name=b' }, 'b'],
    ['both', { labelSelector: 'odd', fieldSelector: 'metadata.name!=b' }, 'acde'],
    ['the namespace as a field', { fieldSelector: 'metadata.namespace=other' }, ''],
  ])('selects by %s', async (_, query, wanted) => {
    expect(names(await list(query))).toBe(wanted)
  })

  test('pages all show the revision of the first', async () => {
    const first = await list({ limit: '2' })
    expect(names(first)).toBe('ab')
    expect(first.metadata.remainingItemCount).toBe(3)
    await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body: configMap('bb') })
    await api.ask({ verb: 'delete', resource: 'configmaps', namespace: 'default', name: 'd' })
    const second = await list({ limit: '2', continue: first.metadata.continue })
    const third = await list({ limit: '2', continue: second.metadata.continue })
    expect(names(second) + names(third)).toBe('cde')
    expect(third.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion })
    await api.ask({ verb: 'delete', resource: 'configmaps', namespace: 'default', name: 'bb' })
    const body = configMap('d', {}, { labels: { odd: 'false' } })
    await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body })
  })

  test('pages of a selection hold as much as was asked for, and do not guess how much is left', async () => {
    const first = await list({ limit: '1', labelSelector: 'odd=true' })
    expect(first.metadata.remainingItemCount).toBeUndefined()
    const second = await list({ limit: '5', labelSelector: 'odd=true', continue: first.metadata.continue })
    expect(names(first) + names(second)).toBe('ace')
  })

  test('a token that is too old is answered with one that goes on with the latest state', async () => {
    const first = await list({ limit: '2' })
    for (const value of ['1', '2']) {
      await api.ask({ verb: 'update', resource: 'configmaps', namespace: 'default', name: 'e', body: configMap('e', { value }) })
    }
    await api.store.compact(api.store.revision)
    const error = await list({ limit: '2', continue: first.metadata.continue }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 410, reason: 'Expired' })
    const token = (error as { status: { metadata: { continue: string } } }).status.metadata.continue
    expect(names(await list({ continue: token }))).toBe('cde')
  })

  test('resourceVersion: any, at least, exactly', async () => {
    const before = await list()
    const rv = before.metadata.resourceVersion
    const marker = configMap('f')
    await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body: marker })
    expect(names(await list())).toBe('abcdef')
    // Any state will do for these two, and by now the cache has this one.
    expect(names(await list({ resourceVersion: '0', limit: '2' }))).toBe('abcdef')
    expect(names(await list({ resourceVersion: rv, resourceVersionMatch: 'NotOlderThan' }))).toBe('abcdef')
    expect(names(await list({ resourceVersion: rv, resourceVersionMatch: 'Exact' }))).toBe('abcde')
    await api.ask({ verb: 'delete', resource: 'configmaps', namespace: 'default', name: 'f' })
  })

  test.each([
    ['a match without a version', { resourceVersionMatch: 'Exact' }, 422],
    ['an unknown match', { resourceVersion: '1', resourceVersionMatch: 'Maybe' }, 422],
    ['exactly any', { resourceVersion: '0', resourceVersionMatch: 'Exact' }, 422],
    ['a version that is no number', { resourceVersion: 'x' }, 400],
    ['a limit that is no number', { limit: 'x' }, 400],
    ['a token of somebody else', { continue: 'x' }, 400],
    ['a label selector that cannot be read', { labelSelector: 'a in' }, 400],
    ['a field that cannot be selected by', { fieldSelector: 'data.a=b' }, 400],
    ['a compacted version', { resourceVersion: '1', resourceVersionMatch: 'Exact' }, 410],
  ])('refuses %s', async (_, query, code) => {
    await expect(list(query)).rejects.toMatchObject({ code })
  })

  test('a version from the future is waited for, then refused', async () => {
    await expect(list({ resourceVersion: '999999' })).rejects.toMatchObject({
      code: 504,
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 },
    })
  })
})
