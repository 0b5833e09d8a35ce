import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sharesNames } from '../../src/proxy/index.ts'
import { instanceArgs, isRoot } from '../support/instance.ts'
import { machineState } from '../support/machine-state.ts'
import {
  addressOf,
  apply,
  available,
  closeAll,
  folder,
  get,
  kernelModes,
  namespaceOf,
  newMachine,
  readyPods,
  run,
  SLOT,
  SOON,
  start,
} from '../support/proxy-modes.ts'
import { pod, service } from '../support/world.ts'

/** Several whole instances one after another. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

describe.each(kernelModes.filter((mode) => !sharesNames(mode)))('two instances with --proxy-mode %s', (mode) => {
  afterEach(closeAll)

  it('serve side by side, and the end of one is not felt by the other', async () => {
    const machine = await newMachine()
    const before = await machineState(machine.name)
    const both = await Promise.all(
      [SLOT, SLOT + 1].map(async (slot) => start(mode, { dataDir: await folder(), namespace: machine.name, slot })),
    )
    const urls: string[] = []
    for (const instance of both) {
      await apply(instance, machine.name, [pod('single'), service('single')])
      await readyPods(instance, 'single', 1)
      const url = `http://${await addressOf(instance, 'single')}:8080/`
      urls.push(url)
      await expect.poll(async () => (await get(machine.name, url)).pod, SOON).toBe('single')
    }
    const [first, second] = both
    if (first === undefined || second === undefined) throw new Error('two instances')
    const [address = ''] = await readyPods(second, 'single', 1)
    const inSecond = namespaceOf(second, address)
    // Pods of one reach Services of the other, as clients from outside.
    expect((await get(inSecond, urls[0] ?? '')).pod).toBe('single')
    expect(await first.stop()).toBe(0)
    for (const from of [machine.name, inSecond]) expect((await get(from, urls[1] ?? '')).pod).toBe('single')
    expect(await machine.ask(inSecond, machine.server)).toBe(`${machine.server} ${machine.address}`)
    expect(await second.stop()).toBe(0)
    expect(await machineState(machine.name, [first.dataDir, second.dataDir])).toEqual(before)
  })
})

describe.each(kernelModes.filter(sharesNames))('two instances with --proxy-mode %s', (mode) => {
  afterEach(closeAll)

  it('are refused: the second does not start, and leaves the first alone, as other modes do', async () => {
    const machine = await newMachine()
    const first = await start(mode, { dataDir: await folder(), namespace: machine.name })
    await apply(first, machine.name, [pod('single'), service('single')])
    await readyPods(first, 'single', 1)
    const dataDir = await folder()
    const args = [...instanceArgs(dataDir, { slot: SLOT + 1 }), '--proxy-mode', mode]
    const refused = await run(machine.name, process.execPath, 'bin/fairway.js', 'up', ...args)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(new RegExp(`fairway: another fairway .* --proxy-mode=${mode} .* choose nftables`))
    const second = await start('userspace', { dataDir, namespace: machine.name, slot: SLOT + 1 })
    await second.stop()
    await run(machine.name, process.execPath, 'bin/fairway.js', 'cleanup', '--data-dir', dataDir)
    expect((await get(machine.name, `http://${await addressOf(first, 'single')}:8080/`)).pod).toBe('single')
  })
})

describe.skipIf(!isRoot)('--proxy-mode auto (needs root)', () => {
  beforeEach(async () => void (await newMachine()))
  afterEach(closeAll)
  const here = `pm${process.pid}`

  it('takes nftables where it works, and says so in the table of the start too', async () => {
    const instance = await start('auto', { dataDir: await folder(), namespace: here })
    expect(instance.status.proxyMode).toBe(available.includes('nftables') ? 'nftables' : 'userspace')
    expect((await instance.fairway('status')).stdout).toContain(`proxy mode ${instance.status.proxyModeReason}`)
  })

  it('says in the status and as an Event which firewall may keep pods from one another', async () => {
    await run(here, 'iptables', '-P', 'FORWARD', 'DROP')
    const instance = await start('auto', { dataDir: await folder(), namespace: here })
    expect(instance.status.notes.join('\n')).toMatch(
      /chain FORWARD of table ip filter drops.*iptables -I FORWARD -i fw\w+-br -j ACCEPT/,
    )
    const events = async () => (await instance.fairway('get', 'events', '-A', '-o', 'yaml')).stdout
    await expect.poll(events, SOON).toContain('PodNetworkLimited')
  })
})
