import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realHost } from '../../../host/index.ts'
import { instanceTag } from '../../../kernel/link/index.ts'
import { createNetnsNetwork } from '../netns.ts'
import type { PodNetwork } from '../pod-network.ts'
import { type Machine, openMachine } from '../testing/machine.ts'
import { createWayOut, removeWayOut } from './index.ts'
import { forwardingOf } from './snapshot.ts'

const { networkNamespaces, tools } = await realHost().capabilities()
const reason = networkNamespaces.usable ? (tools.has('nft') ? '' : 'nft is missing') : networkNamespaces.reason

describe.skipIf(reason !== '')(`the way out of a machine of its own${reason && ` (skipped: ${reason})`}`, () => {
  let machine: Machine
  const networks: PodNetwork[] = []
  beforeEach(async () => {
    machine = await openMachine(`wo${process.pid}`)
  })
  afterEach(async () => {
    for (const network of networks.splice(0)) await network.close()
    await machine.close()
  })
  const tagOf = (index: number) => instanceTag(`/way-out-test/${process.pid}/${index}`)
  const bridgeOf = (index: number) => `${tagOf(index)}-br`
  const openNetwork = async (index: number): Promise<PodNetwork> => {
    const range = `10.251.${index}`
    const network = createNetnsNetwork({
      exec: machine.exec,
      tag: tagOf(index),
      podCIDR: `${range}.0/28`,
      nodeAddress: `${range}.1`,
      kernelServiceCIDRs: [`10.250.${index}.0/24`],
    })
    networks.push(network)
    await network.prepare()
    return network
  }
  const pod = async (network: PodNetwork, uid = 'a') => {
    const { address, namespacePath = '' } = await network.attach({ uid, hostNetwork: false })
    return { address, namespace: namespacePath.replace('/run/netns/', '') }
  }
  const forwarding = async (...devices: readonly string[]) => machine.sysctls.read(devices.map(forwardingOf))
  const tables = async () => (await machine.exec(['nft', 'list', 'tables'])).stdout.trim().split('\n').filter(Boolean)

  it("pods reach a server beyond the machine with the machine's address, and only once there is a way", async () => {
    const network = await openNetwork(1)
    const { namespace } = await pod(network)
    expect(await machine.ask(namespace, machine.server)).toBe('nothing')
    expect(await network.check()).toEqual([])
    expect(await machine.ask(namespace, machine.server)).toBe(`${machine.server} ${machine.address}`)
    expect(await machine.ask(namespace, '10.251.1.1')).toBe('refused')
  })

  it('neighbours find no router, but what the machine sends on to pods', async () => {
    const network = await openNetwork(1)
    const { address, namespace } = await pod(network)
    await machine.serve(namespace, address)
    await network.check()
    await machine.exec(['nft', '-f', '-'], {
      stdin: `table ip published { chain pre { type nat hook prerouting priority -100 ;
        tcp dport 80 dnat to ${address}:8080
      }
      }`,
    })
    await machine.exec(['ip', '-n', machine.internet, 'route', 'add', '10.251.1.0/24', 'via', machine.address])
    expect(await machine.ask(machine.internet, address)).toBe('nothing')
    expect(await machine.ask(machine.internet, machine.address, 80)).toBe(`${address} 198.51.100.9`)
  })

  it('what was changed is taken back, also by another process', async () => {
    const network = await openNetwork(1)
    expect(await forwarding('all', 'default', 'eth0')).toEqual(['0', '0', '0'])
    await network.check()
    expect(await forwarding('all', 'default', 'eth0', 'lo', bridgeOf(1))).toEqual(['0', '0', '1', '0', '1'])
    expect(await removeWayOut(machine.exec, tagOf(1))).toEqual(['forwarding of eth0', `table ip fairway-${tagOf(1)}-pods`])
    expect(await removeWayOut(machine.exec, tagOf(1))).toEqual([])
    expect([await forwarding('all', 'eth0'), await tables()]).toEqual([['0', '0'], []])
    await network.check()
    await network.close()
    expect([await forwarding('all', 'eth0'), await tables()]).toEqual([['0', '0'], []])
  })

  it.each(['one after the other', 'at the same time'])(
    'two instances that start %s share an uplink, and the last one gives it back',
    async (order) => {
      const [first, second] = [await openNetwork(1), await openNetwork(2)]
      if (order === 'at the same time') await Promise.all([first.check(), second.check()])
      else {
        await first.check()
        await second.check()
      }
      const { namespace } = await pod(second)
      await first.close()
      expect(await machine.ask(namespace, machine.server)).toBe(`${machine.server} ${machine.address}`)
      await second.close()
      expect([await forwarding('eth0'), await tables()]).toEqual([['0'], []])
    },
  )

  it('a machine that forwards by itself is given nothing back, also when it began meanwhile', async () => {
    const network = await openNetwork(1)
    await network.check()
    await machine.exec(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
    await machine.exec(['ip', '-n', machine.internet, 'route', 'add', '10.251.1.0/24', 'via', machine.address])
    const { address, namespace } = await pod(network)
    await machine.serve(namespace, address)
    expect(await machine.ask(machine.internet, address)).toBe('nothing')
    await network.check()
    expect(await machine.ask(machine.internet, address)).toBe(`${address} 198.51.100.9`)
    expect(await machine.ask(namespace, machine.server)).toBe(`${machine.server} ${machine.address}`)
    await network.close()
    expect(await forwarding('all', 'eth0')).toEqual(['1', '1'])
  })

  it('what another flushed is there again after the next check, with the record of what must be taken back', async () => {
    const network = await openNetwork(1)
    await network.check()
    await machine.exec(['nft', 'flush', 'ruleset'])
    const { namespace } = await pod(network)
    expect(await machine.ask(namespace, machine.server)).toBe('nothing')
    await network.check()
    expect(await machine.ask(namespace, machine.server)).toBe(`${machine.server} ${machine.address}`)
    await network.close()
    expect(await forwarding('eth0')).toEqual(['0'])
  })

  it.each([
    ['half of the Internet, as VPNs have it', ['0.0.0.0/1', 'via', '198.51.100.9']],
    ['a table of its own', ['default', 'via', '198.51.100.9', 'table', '51']],
    ['several next hops', ['default', 'nexthop', 'via', '198.51.100.9', 'nexthop', 'via', '198.51.100.8']],
  ])('an uplink is also who has %s', async (_, route) => {
    await machine.exec(['ip', 'route', 'del', 'default'])
    await machine.exec(['ip', 'route', 'add', ...route])
    const network = await openNetwork(1)
    await network.check()
    expect(await forwarding('eth0')).toEqual(['1'])
  })

  it('says why there is none', async () => {
    const missing = createWayOut({
      exec: (argv, options) => machine.exec(argv[0] === 'nft' ? ['/nonexistent/nft'] : argv, options),
      tag: tagOf(1),
      podCIDR: '10.251.1.0/28',
      bridge: bridgeOf(1),
    })
    expect(await missing.ensure()).toMatch(/^pods reach this machine and one another only: .*nft/)
  })
})
