import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IPFamily } from '../../ip/index.ts'
import type { SockDiag, SocketEnd } from './index.ts'

/** UDP sockets in two namespaces. */
export interface SockDiagHarness {
  readonly sockDiag: SockDiag
  readonly namespaces: readonly [string, string]
  /** The client's address of each family, in both namespaces. */
  readonly client: Readonly<Record<IPFamily, string>>
  /** An address that sockets can be connected to; nobody need be there. */
  readonly remote: Readonly<Record<IPFamily, string>>
  /** `family` is the socket's: one of IPv6 reaches IPv4 by a mapped address. `connects: false` for a socket that is asked to send there each time. */
  open(socket: {
    readonly namespace: string
    readonly from: number
    readonly to: SocketEnd
    readonly family?: IPFamily
    readonly connects?: boolean
  }): Promise<OpenSocket>
  close(): Promise<void>
}

interface OpenSocket {
  /** Whether a program can still send by it without naming a destination. */
  isConnected(): Promise<boolean>
  close(): Promise<void>
}

/** What every {@link SockDiag} does, as programs see it that have the sockets. */
export const sockDiagConformance = (name: string, open: () => Promise<SockDiagHarness>): void => {
  describe(`sockdiag conformance: ${name}`, () => {
    let harness: SockDiagHarness
    beforeEach(async () => {
      harness = await open()
    })
    afterEach(() => harness?.close())

    it('can be used', async () => {
      expect(await harness.sockDiag.probe()).toBeUndefined()
    })
    it.each(['IPv4', 'IPv6'] as const)('lists a socket of %s with both of its ends', async (family) => {
      const { namespaces, client, remote, sockDiag } = harness
      const to = { address: remote[family], port: 5353 }
      await harness.open({ namespace: namespaces[0], from: 4001, to })
      expect(await sockDiag.connectedTo([to], namespaces)).toEqual([
        {
          namespace: namespaces[0],
          family,
          local: { address: client[family], port: 4001 },
          remote: to,
          interface: 0,
          cookie: expect.any(BigInt),
        },
      ])
    })
    it.each([
      ['IPv4', 'IPv4'],
      ['IPv6', 'IPv6'],
      ['IPv6', 'IPv4'],
    ] as const)('ends sockets of %s that are connected to an address of %s, and no others', async (family, reached) => {
      const { namespaces, remote, sockDiag } = harness
      const [here, there] = namespaces
      const to = { address: remote[reached], port: 5353 }
      const gone = [
        await harness.open({ namespace: here, from: 4001, to, family }),
        await harness.open({ namespace: there, from: 4001, to, family }),
      ]
      const kept = [
        await harness.open({ namespace: here, from: 4002, to: { ...to, port: 5354 }, family }),
        await harness.open({ namespace: here, from: 4003, to: { address: harness.client[reached], port: 5353 }, family }),
      ]
      expect(await sockDiag.destroy(await sockDiag.connectedTo([to], namespaces))).toBe(2)
      for (const socket of gone) expect(await socket.isConnected()).toBe(false)
      for (const socket of kept) expect(await socket.isConnected()).toBe(true)
      expect(await sockDiag.connectedTo([to], namespaces)).toEqual([])
    })
    it('finds sockets to several remotes at once', async () => {
      const { namespaces, remote, sockDiag } = harness
      const ends = [
        { address: remote.IPv4, port: 5353 },
        { address: remote.IPv4, port: 5354 },
        { address: remote.IPv6, port: 5353 },
      ]
      for (const [index, to] of ends.entries()) await harness.open({ namespace: namespaces[0], from: 4001 + index, to })
      const found = await sockDiag.connectedTo(ends.slice(1), namespaces)
      expect(found.map(({ remote: end }) => end)).toEqual(expect.arrayContaining(ends.slice(1)))
      expect(found).toHaveLength(2)
      expect(await sockDiag.connectedTo([], namespaces)).toEqual([])
    })
    it('looks in no namespace but those given', async () => {
      const { namespaces, remote, sockDiag } = harness
      const to = { address: remote.IPv4, port: 5353 }
      const socket = await harness.open({ namespace: namespaces[0], from: 4001, to })
      expect(await sockDiag.connectedTo([to], [namespaces[1]])).toEqual([])
      expect(await sockDiag.connectedTo([to], [])).toEqual([])
      expect(await socket.isConnected()).toBe(true)
    })
    it('takes a namespace that is gone as one without sockets', async () => {
      const { namespaces, remote, sockDiag } = harness
      const to = { address: remote.IPv4, port: 5353 }
      await harness.open({ namespace: namespaces[0], from: 4001, to })
      const found = await sockDiag.connectedTo([to], ['/run/netns/there-is-none', namespaces[0]])
      expect(found).toHaveLength(1)
      const [socket] = found
      expect(await sockDiag.destroy(socket === undefined ? [] : [{ ...socket, namespace: '/run/netns/there-is-none' }])).toBe(0)
    })
    it('leaves sockets alone that are not connected', async () => {
      const { namespaces, remote, sockDiag } = harness
      const to = { address: remote.IPv4, port: 5353 }
      await harness.open({ namespace: namespaces[0], from: 4001, to, connects: false })
      expect(await sockDiag.connectedTo([to], namespaces)).toEqual([])
    })
    it('counts only sockets that were still there', async () => {
      const { namespaces, remote, sockDiag } = harness
      const to = { address: remote.IPv4, port: 5353 }
      const [closed] = [
        await harness.open({ namespace: namespaces[0], from: 4001, to }),
        await harness.open({ namespace: namespaces[0], from: 4002, to }),
      ]
      const sockets = await sockDiag.connectedTo([to], namespaces)
      expect(sockets).toHaveLength(2)
      await closed?.close()
      expect(await sockDiag.destroy(sockets)).toBe(1)
      expect(await sockDiag.destroy([])).toBe(0)
    })
  })
}
