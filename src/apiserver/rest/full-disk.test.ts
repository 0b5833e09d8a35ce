import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configMap, startTestServer, type TestServer } from '../testing/test-server.ts'

let folder: string
let api: TestServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-full-'))
  const before = await startTestServer({ path: folder })
  await before.ask({ verb: 'create', resource: 'configmaps', namespace: 'default', body: configMap('kept') })
  await before.stop()
  api = await startTestServer({ path: folder, reserveBytes: Number.MAX_SAFE_INTEGER })
})
afterAll(async () => {
  await api.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('on a full disk', () => {
  const maps = { resource: 'configmaps', namespace: 'default' } as const
  const kept = { ...maps, name: 'kept' }

  test.each([
    ['create', { verb: 'create', ...maps, body: configMap('new') }],
    ['update', { verb: 'update', ...kept, body: configMap('kept', { a: 'changed' }) }],
    ['delete', { verb: 'delete', ...kept }],
  ] as const)('%s is 507 and says where and what now', async (_, request) => {
    await expect(api.ask(request)).rejects.toMatchObject({
      code: 507,
      reason: 'InsufficientStorage',
      message: expect.stringMatching(/^the disk of .*store is full .* free some space and try again$/),
    })
  })

  test('what was stored is still read, whole', async () => {
    expect(await api.ask({ verb: 'get', ...kept })).toMatchObject({ metadata: { name: 'kept' } })
    const list = await api.ask({ verb: 'list', ...maps })
    expect(list.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['kept'])
  })
})
