import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serviceOf, startPod } from '../support/ingress.ts'
import { type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { curl, freePort, SOON, undo, undoAll } from '../support/proxy.ts'

describe('TCP services of an instance', () => {
  let dataDir: string
  let instance: Instance
  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dataDir, 'test.json')
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.flat() }))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  beforeAll(async () => {
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    instance = await startInstance({ asUser: true, dataDir, slot: 73 })
    undo.push(() => instance.stop())
  })
  afterAll(undoAll)

  it('are those of ingress-nginx’s ConfigMap, and tell what is wrong on it', async () => {
    const pod = await startPod('one', '127.245.73.1')
    const port = await freePort()
    await apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ingress-nginx' } },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'tcp-services', namespace: 'ingress-nginx' },
        data: { [port]: 'default/web:80', nonsense: 'default/web:80' },
      },
      ...serviceOf('web', pod),
    )
    await expect.poll(() => curl(`http://127.0.0.1:${port}/`), SOON).toEqual({ code: 200, text: 'one' })
    const events = async (): Promise<string> =>
      (await instance.fairway('get', 'events', '-n', 'ingress-nginx', '-o', 'yaml')).stdout
    await expect.poll(events, SOON).toContain('StreamInvalid')
  })
})
