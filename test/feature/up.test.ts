import { once } from 'node:events'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { command, type Instance, instanceArgs, isRoot, newDataDir, type Output, startInstance } from '../support/instance.ts'
import { processesOf, tracesOf } from '../support/traces.ts'

const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const SHOP = fileURLToPath(new URL('../../examples/shop', import.meta.url))

const fairway = (...args: readonly string[]): Promise<Output> =>
  command(process.execPath, [FAIRWAY, ...args], { timeout: 60_000 })

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

const dataDir = async (): Promise<string> => {
  const folder = await newDataDir(false)
  undo.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const started = async (options: Parameters<typeof startInstance>[0]): Promise<Instance> => {
  const instance = await startInstance(options)
  undo.push(() => instance.stop())
  return instance
}

/** One line on standard error, no stack, and the exit code. */
const expectOneLine = (output: Output, code: number, text: RegExp): void => {
  expect(output.stderr).not.toMatch(/\n\s+at /)
  expect(output.stderr.split('\n').filter((line) => line.startsWith('fairway: '))).toEqual([expect.stringMatching(text)])
  expect(output.code).toBe(code)
}

describe('fairway up, what goes wrong', () => {
  it('says which port is taken and what now: the API server', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    undo.push(async () => server.close())
    const { port } = server.address() as AddressInfo
    const folder = await dataDir()
    const output = await fairway('up', ...instanceArgs(folder, { slot: 3 }), '--api-port', String(port))
    expectOneLine(output, 1, new RegExp(`${port} is .*in use.*--api-port`))
  })

  it('says which port is taken and what now: the Ingress', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    undo.push(async () => server.close())
    const { port } = server.address() as AddressInfo
    const folder = await dataDir()
    const output = await fairway('up', ...instanceArgs(folder, { slot: 3 }), '--ingress-http', String(port))
    expectOneLine(output, 1, new RegExp(`port ${port} is .*in use.*--ingress-http`))
  })

  it('refuses a data folder that another instance has', async () => {
    const first = await started({ slot: 3 })
    const output = await fairway('up', ...instanceArgs(first.dataDir, { slot: 4 }))
    expectOneLine(output, 1, new RegExp(`process ${first.status.pid}.*${first.dataDir}`))
    expect((await first.fairway('get', 'namespaces', '-o', 'name')).stdout).toContain('namespace/default')
  })

  it.each([
    [['up', '--proxy-mode', 'magic'], /--proxy-mode: "magic" is not one of auto, nftables, iptables, ipvs, ebpf, userspace/],
    [['up', '--service-cidr', '10.0.0.0/33'], /--service-cidr/],
    [['get'], /missing required argument/],
    [['up', '--api-port', '70000'], /--api-port/],
    [['frobnicate'], /unknown command/],
    [['get', 'svc', '--kubeconfig', '/nonexistent'], /\/nonexistent/],
  ])('%j: names what is wrong, without a stack', async (args, text) => {
    const output = await fairway(...args)
    expect(output.stderr).toMatch(text)
    expect(output.stderr).not.toMatch(/\n\s+at /)
    expect(output.code).toBeGreaterThan(0)
  })

  it.each(['nftables', 'iptables', 'ipvs', 'ebpf'])(
    'refuses --proxy-mode %s to an ordinary user, and says what now',
    async (mode) => {
      const folder = await newDataDir(true)
      undo.push(() => rm(folder, { recursive: true, force: true }))
      const asUser = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
      const args = [...instanceArgs(folder, { slot: 3, asUser: true }), '--proxy-mode', mode]
      const [file = '', ...rest] = [...asUser, process.execPath, FAIRWAY, 'up', ...args]
      const output = await command(file, rest)
      expectOneLine(output, 1, new RegExp(`--proxy-mode=${mode} cannot be used here: .*run as root`))
    },
  )

  it('says so when the manifests of -f are not YAML, before anything is started', async () => {
    const folder = await dataDir()
    await writeFile(join(folder, 'bad.yaml'), 'apiVersion: v1\nkind: [')
    const output = await fairway('up', ...instanceArgs(folder, { slot: 3 }), '-f', join(folder, 'bad.yaml'))
    expectOneLine(output, 1, /bad\.yaml:\d+:\d+: not valid YAML/)
  })

  it('leaves a corrupted store as it is and says where it lies', async () => {
    const folder = await dataDir()
    await mkdir(join(folder, 'store'), { mode: 0o700 })
    await writeFile(join(folder, 'store', 'data.mdb'), Buffer.alloc(8192, 0xab))
    const output = await fairway('up', ...instanceArgs(folder, { slot: 3 }))
    expectOneLine(output, 1, new RegExp(join(folder, 'store')))
    expect((await stat(join(folder, 'store', 'data.mdb'))).size).toBe(8192)
  })
})

describe('fairway up, the end', () => {
  it('leaves nothing on the machine after SIGTERM', async () => {
    const instance = await startInstance({ slot: 3, args: ['-f', SHOP] })
    await expect.poll(() => processesOf(instance.dataDir).length, { timeout: 10_000 }).toBeGreaterThan(3)
    if (isRoot) expect(await tracesOf(instance.dataDir, 3)).not.toEqual([])
    expect(await instance.stop()).toBe(0)
    expect(processesOf(instance.dataDir)).toEqual([])
    expect(await tracesOf(instance.dataDir, 3)).toEqual([])
  })

  it('takes a Ctrl-C that arrives twice, as npm hands it on, for one', async () => {
    const instance = await startInstance({ slot: 3, args: ['-f', SHOP] })
    const exited = once(instance.process, 'exit')
    instance.process.kill('SIGINT')
    instance.process.kill('SIGINT')
    expect(await exited).toEqual([0, null])
    expect(await tracesOf(instance.dataDir, 3)).toEqual([])
    await rm(instance.dataDir, { recursive: true })
  })

  it('takes its pods along when it is killed, and cleanup removes the rest', async () => {
    const folder = await dataDir()
    const instance = await startInstance({ slot: 3, dataDir: folder, args: ['-f', SHOP] })
    await instance.kill()
    await expect.poll(() => processesOf(folder), { timeout: 10_000 }).toEqual([])
    const cleaned = await fairway('cleanup', '--data-dir', folder)
    expect(cleaned.code).toBe(0)
    expect(await tracesOf(folder, 3)).toEqual([])
    expect((await fairway('cleanup', '--data-dir', folder)).stdout).toBe('nothing left to remove\n')
  })

  it('keeps every object over SIGKILL, and serves them again', async () => {
    const folder = await dataDir()
    const first = await startInstance({ slot: 3, dataDir: folder, args: ['-f', SHOP] })
    const before = await first.fairway('get', 'svc', '-A', '-o', 'name')
    await first.kill()
    const second = await startInstance({ slot: 3, dataDir: folder })
    undo.push(() => second.stop())
    expect((await second.fairway('get', 'svc', '-A', '-o', 'name')).stdout).toBe(before.stdout)
    await expect
      .poll(
        async () =>
          (await command('curl', ['-sS', '-m', '5', '-H', 'Host: shop.localhost', `${second.status.ingress.http}/api`])).stdout,
        {
          timeout: 60_000,
        },
      )
      .toContain('"pod"')
  })

  it('refuses to clean up under a running instance', async () => {
    const instance = await started({ slot: 3 })
    expectOneLine(await instance.fairway('cleanup'), 1, new RegExp(String(instance.status.pid)))
  })
})

describe('several instances', () => {
  it('run side by side', async () => {
    const [one, two] = await Promise.all([
      started({ slot: 5, args: ['-f', SHOP] }),
      started({ slot: 6, asUser: isRoot, args: ['-f', SHOP] }),
    ])
    for (const instance of [one, two]) {
      await expect
        .poll(
          async () =>
            (await command('curl', ['-sS', '-m', '5', '-H', 'Host: shop.localhost', `${instance.status.ingress.http}/api`]))
              .stdout,
          {
            timeout: 60_000,
          },
        )
        .toContain('"pod"')
    }
    expect(one.status.kubeconfig).not.toBe(two.status.kubeconfig)
  })
})
