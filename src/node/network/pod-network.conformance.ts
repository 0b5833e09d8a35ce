import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { realSpawn, type SpawnedProcess } from '../../host/index.ts'
import { type CIDR, cidrContains, parseAddress, parseCIDR } from '../../ip/index.ts'
import { launchCommand } from '../runtime/launch.ts'
import type { Attachment, PodNetwork } from './pod-network.ts'

/** What every pod network keeps, tried with real processes and connections. `create` gives one with a /28 range. */
export const podNetworkConformance = (create: () => Promise<PodNetwork>): void => {
  describe('keeps the contract of a pod network', () => {
    const undo: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const step of undo.splice(0).reverse()) await step()
    })

    const start = async (): Promise<PodNetwork> => {
      const network = await create()
      await network.prepare()
      undo.push(() => network.close())
      return network
    }
    const attach = (network: PodNetwork, uid: string, preferredAddress?: string): Promise<Attachment> =>
      network.attach({ uid, hostNetwork: false, ...(preferredAddress === undefined ? {} : { preferredAddress }) })
    const runAt = async (at: Attachment, script: string, ...args: readonly string[]): Promise<SpawnedProcess> => {
      const argv = [process.execPath, '-e', script, ...args]
      const namespace = at.namespacePath === undefined ? {} : { namespacePath: at.namespacePath }
      const child = await realSpawn(
        launchCommand({ isolation: 'none', argv, workingDir: '/', hostname: '', setup: [], ...namespace }),
        {
          env: { PATH: process.env['PATH'] ?? '' },
          tellsReady: true,
        },
      )
      undo.push(async () => {
        child.signal('SIGKILL')
        await child.exited
      })
      return child
    }
    const server = async (at: Attachment, port: number): Promise<void> => {
      const script = `require('net').createServer((s) => s.end(process.argv[1])).listen(${port}, process.argv[1], () => console.log('up'))`
      const child = await runAt(at, script, at.address)
      await once(child.stdout, 'data')
    }
    const ask = async (address: string, port: number): Promise<string> => {
      const socket = connect(port, address)
      const [answer] = await once(socket, 'data')
      socket.destroy()
      return String(answer)
    }

    it('gives each pod an address of its own in the range, and the same one again to the same pod', async () => {
      const network = await start()
      const first = await attach(network, 'a')
      const second = await attach(network, 'b')
      expect(first.address).not.toBe(second.address)
      expect(await attach(network, 'a')).toEqual(first)
      const range = parseCIDR(network.podCIDR) as CIDR
      for (const { address } of [first, second]) expect(cidrContains(range, parseAddress(address)!)).toBe(true)
    })

    it('lets two pods listen at the same port, and the machine reach both', async () => {
      const network = await start()
      const pods = [await attach(network, 'a'), await attach(network, 'b')]
      for (const at of pods) await server(at, 18080)
      for (const at of pods) expect(await ask(at.address, 18080)).toBe(at.address)
    })

    it('lets pods reach one another and the node', async () => {
      const network = await start()
      const [a, b] = [await attach(network, 'a'), await attach(network, 'b')]
      await server(b, 18080)
      const node = { address: network.nodeAddress }
      await server(node, 18081)
      for (const target of [`${b.address} 18080`, `${node.address} 18081`]) {
        const [address = '', port = ''] = target.split(' ')
        const client = await runAt(a, `require('net').connect(${port}, '${address}').on('data', (d) => console.log('got ' + d))`)
        const [answer] = await once(client.stdout, 'data')
        expect(String(answer)).toBe(`got ${address}\n`)
      }
    })

    it('gives host network pods the node address and no namespace', async () => {
      const network = await start()
      expect(await network.attach({ uid: 'h', hostNetwork: true })).toEqual({ address: network.nodeAddress })
      await network.detach('h')
    })

    it('gives a preferred address when it is free, another one when it is not', async () => {
      const network = await start()
      const { address } = await attach(network, 'a')
      expect((await attach(network, 'b', address)).address).not.toBe(address)
      await network.detach('a')
      expect((await attach(network, 'c', address)).address).toBe(address)
    })

    it('does not give a freed address soon again, but does when no other is left', async () => {
      const network = await start()
      const { address } = await attach(network, 'first')
      await network.detach('first')
      const others: string[] = []
      for (let index = 0; ; index++) {
        const next = await attach(network, `p${index}`)
        if (next.address === address) break
        others.push(next.address)
      }
      expect(others.length).toBeGreaterThan(8)
      await expect(attach(network, 'one-too-many')).rejects.toThrow(/no free address/)
    })

    it('detaches what was never attached, and twice', async () => {
      const network = await start()
      await network.detach('nobody')
      await attach(network, 'a')
      await network.detach('a')
      await network.detach('a')
    })
  })
}
