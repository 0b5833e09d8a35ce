import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { command, instanceArgs, isRoot, newDataDir, type Output } from '../support/instance.ts'
import { startLoad } from '../support/load.ts'
import { createRawApi, type RawApi, type RawReply } from '../support/raw-api.ts'
import { expectUnharmed } from '../support/unharmed.ts'
import { deployment, echoPod, ingress, path, service, startWorld, type World } from '../support/world.ts'

const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const CORE = '/api/v1/namespaces/default'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

const started = async (options: Parameters<typeof startWorld>[0]): Promise<World> => {
  const world = await startWorld(options)
  undo.push(() => world.close())
  return world
}

const withWeb = async (world: World): Promise<void> => {
  await world.apply([deployment('web', echoPod('web')), service('web'), ingress('web', 'good.example', [path('/', 'web')])])
  await world.rollout('web')
  await expect.poll(async () => (await world.ingress('good.example', '/')).pod, { timeout: 20_000 }).toMatch(/^web-/)
}

const configMap = (name: string, size = 10): string =>
  JSON.stringify({ metadata: { name }, data: { a: randomBytes(size / 2).toString('hex') } })

describe('a corrupted data folder', () => {
  const damage: readonly (readonly [string, (path: string) => Promise<unknown>])[] = [
    ['pages in its middle', (file) => overwrite(file, 0.3, 16_384)],
    ['its beginning', (file) => overwrite(file, 0, 8192)],
    ['its end, cut off', (file) => truncate(file, 12_288)],
    ['everything', (file) => truncate(file, 0)],
  ]

  it.each(damage)('is told in one line and kept as it is: %s', async (_title, harm) => {
    const dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    const world = await startWorld({ slot: 12, asUser: true, dataDir })
    const api = createRawApi(world.instance.status.kubeconfig)
    for (let i = 0; i < 20; i++)
      expect((await api.send(`${CORE}/configmaps`, { body: configMap(`c${i}`, 50_000) })).code).toBe(201)
    await world.close()
    const file = join(dataDir, 'store', 'data.mdb')
    await harm(file)
    const before = await readFile(file)
    const output = await command(process.execPath, [FAIRWAY, 'up', ...instanceArgs(dataDir, { slot: 12, asUser: true })])
    expect(output.code).toBe(1)
    const told = output.stderr.split('\n').filter((line) => line.startsWith('fairway: '))
    expect(told).toEqual([expect.stringContaining(join(dataDir, 'store'))])
    expect(output.stderr).not.toMatch(/\n\s+at /)
    expect(before.equals(await readFile(file))).toBe(true)
  })

  it.each(['status.json', 'kubeconfig', 'store/state.json'])('starts over a spoilt %s, which it can make again', async (name) => {
    const dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    const first = await startWorld({ slot: 12, asUser: true, dataDir })
    await createRawApi(first.instance.status.kubeconfig).send(`${CORE}/configmaps`, { body: configMap('kept') })
    await first.close()
    await writeFile(join(dataDir, name), '{"half')
    const second = await started({ slot: 12, asUser: true, dataDir })
    const kept = await createRawApi(second.instance.status.kubeconfig).send(`${CORE}/configmaps/kept`)
    expect(kept.code).toBe(200)
  })
})

const overwrite = async (file: string, at: number, length: number): Promise<void> => {
  const { size } = await stat(file)
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(length, 0xab), 0, length, Math.floor((size * at) / 4096) * 4096)
  await handle.close()
}

describe.skipIf(!isRoot)('a full disk (only root can mount one)', () => {
  it('refuses writes with a clear error; reads and traffic go on; it recovers', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'fairway-test-'))
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    const mounted = await command('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0700', 'fairway-test', dataDir])
    expect(mounted).toMatchObject({ code: 0 })
    undo.push(() => command('umount', [dataDir]))
    await chown(dataDir, 65_534, 65_534)
    const world = await started({ slot: 13, asUser: true, dataDir })
    await withWeb(world)
    const api = createRawApi(world.instance.status.kubeconfig)
    const acknowledged: string[] = []
    await writeFile(join(dataDir, 'ballast'), Buffer.alloc(20 * 2 ** 20))
    const refused = await fill(api, acknowledged)
    expect(refused.json).toMatchObject({ kind: 'Status', status: 'Failure' })
    expect(refused.json.message).toMatch(/disk of .* is full.*free some space/)
    // The rest of the disk goes, too, as a log or another program would take it.
    await command('sh', ['-c', `cat /dev/zero > ${dataDir}/rest 2>/dev/null`])
    const client: Output = await world.kubectl.run(['create', 'configmap', 'more'])
    expect(client.stderr).toMatch(/full/)
    expect(client.stderr).not.toMatch(/\n\s+at /)
    expect((await world.instance.fairway('get', 'svc')).stdout).toContain('web')
    await expectTraffic(world)
    await expectUnharmed(world.instance, `${CORE}/services/web`)
    await rm(join(dataDir, 'rest'))
    await rm(join(dataDir, 'ballast'))
    await expect
      .poll(async () => (await api.send(`${CORE}/configmaps`, { body: configMap('again') })).code, { timeout: 20_000 })
      .toBe(201)
    const names = (await api.send(`${CORE}/configmaps`)).json.items.map((item: Named) => item.metadata.name)
    expect(names).toEqual(expect.arrayContaining(acknowledged))
    await world.apply(deployment('web', echoPod('web'), { replicas: 3 }))
    await world.rollout('web')
    await expectTraffic(world)
  }, 120_000)
})

interface Named {
  readonly metadata: { readonly name: string }
}

/** Creates until the server refuses; that answer. */
const fill = async (api: RawApi, acknowledged: string[]): Promise<RawReply> => {
  for (let i = 0; i < 200; i++) {
    const reply = await api.send(`${CORE}/configmaps`, { body: configMap(`fill-${i}`, 500_000) })
    if (reply.code !== 201) return reply
    acknowledged.push(`fill-${i}`)
  }
  throw new Error('the disk did not become full')
}

const expectTraffic = async (world: World): Promise<void> => {
  expect((await world.ingress('good.example', '/')).pod).toMatch(/^web-/)
  expect((await world.get(`http://${await world.clusterIP('web')}:8080/`)).pod).toMatch(/^web-/)
}

describe('a flood of API requests', () => {
  it('is answered or refused, and no request through Service or Ingress fails meanwhile', async () => {
    const world = await started({ slot: 13, asUser: true })
    await withWeb(world)
    const api = createRawApi(world.instance.status.kubeconfig)
    const load = startLoad([
      { name: 'service', url: `http://${await world.clusterIP('web')}:8080/` },
      { name: 'ingress', url: world.instance.status.ingress.http, host: 'good.example' },
    ])
    const codes = new Set<number>()
    const flood = async (worker: number): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const body = i % 2 === 0 ? configMap(`f-${worker}-${i}`, 20_000) : undefined
        codes.add((await api.send(`${CORE}/configmaps?limit=50`, { ...(body ? { body } : {}) })).code)
      }
    }
    await Promise.all(Array.from({ length: 40 }, (_, worker) => flood(worker)))
    const { answered, failures } = await load.stop()
    expect(failures).toEqual([])
    expect(Object.keys(answered).length).toBeGreaterThanOrEqual(2)
    expect([...codes].filter((code) => ![200, 201, 429].includes(code))).toEqual([])
    await expectUnharmed(world.instance, `${CORE}/services/web`)
  })
})
