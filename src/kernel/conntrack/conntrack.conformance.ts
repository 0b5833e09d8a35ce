import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IPFamily } from '../../ip/index.ts'
import type { Conntrack, ConntrackEntry, FlowEnd, FlowProtocol } from './index.ts'

/** A client that reaches two endpoints through one service address, or nobody there when no rule translates it. */
export interface ConntrackHarness {
  readonly conntrack: Conntrack
  readonly family: IPFamily
  readonly client: string
  readonly service: FlowEnd
  /** As `service`, at another address and port. */
  readonly other: FlowEnd
  readonly endpoints: readonly [FlowEnd, FlowEnd]
  /** From now on new flows to the services go to this endpoint, or are not translated. */
  route(to: FlowEnd | undefined): Promise<void>
  /** One packet from this port of the client; gives who got it. */
  send(from: number, options?: { readonly to?: FlowEnd; readonly protocol?: FlowProtocol }): Promise<FlowEnd | undefined>
  close(): Promise<void>
}

/** What every {@link Conntrack} does: measured by where the next packet of a flow goes. */
export const conntrackConformance = (name: string, open: () => Promise<ConntrackHarness>): void => {
  describe(`conntrack conformance: ${name}`, () => {
    let harness: ConntrackHarness
    beforeEach(async () => {
      harness = await open()
    })
    afterEach(() => harness?.close())

    const flows = (...destinations: readonly FlowEnd[]): Promise<readonly ConntrackEntry[]> =>
      harness.conntrack.list({ family: harness.family, protocol: 'UDP', destinations })
    const ports = (entries: readonly ConntrackEntry[]): readonly number[] =>
      entries.map(({ original }) => original.source.port).sort((a, b) => a - b)

    it('can be used', async () => {
      expect(await harness.conntrack.probe()).toBeUndefined()
    })
    it('lists a flow with where it was sent and who answers it', async () => {
      const { client, service, endpoints } = harness
      await harness.route(endpoints[0])
      expect(await harness.send(4001)).toEqual(endpoints[0])
      const source = { address: client, port: 4001 }
      expect(await flows(service)).toEqual([
        expect.objectContaining({
          family: harness.family,
          protocol: 'UDP',
          original: { source, destination: service },
          reply: { source: endpoints[0], destination: source },
          mark: 0,
        }),
      ])
    })
    it('lists a flow that no rule translated as answered by the address itself', async () => {
      await harness.route(undefined)
      await harness.send(4001)
      const [entry] = await flows(harness.service)
      expect(entry?.reply.source).toEqual(harness.service)
      expect(entry?.replied).toBe(false)
    })
    it('tells protocols and families apart', async () => {
      const { family, endpoints, conntrack } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      await harness.send(4002, { protocol: 'TCP' })
      const otherFamily = family === 'IPv4' ? 'IPv6' : 'IPv4'
      expect(ports(await conntrack.list({ family, protocol: 'UDP' }))).toEqual([4001])
      expect(ports(await conntrack.list({ family, protocol: 'TCP' }))).toEqual([4002])
      expect(await conntrack.list({ family, protocol: 'SCTP' })).toEqual([])
      expect(await conntrack.list({ family: otherFamily, protocol: 'UDP' })).toEqual([])
    })
    it('lists only flows to the destinations asked for', async () => {
      const { service, other, endpoints } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      await harness.send(4002, { to: other })
      expect(ports(await flows(service))).toEqual([4001])
      expect(ports(await flows(other))).toEqual([4002])
      expect(ports(await flows(service, other))).toEqual([4001, 4002])
      expect(ports(await flows({ ...service, port: other.port }, { ...other, port: service.port }))).toEqual([])
      expect(await flows()).toEqual([])
    })
    it('finds the right ones among more destinations than it would ask the kernel for one by one', async () => {
      const { service, other, endpoints } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      await harness.send(4002, { to: other })
      const unused = Array.from({ length: 20 }, (_, index) => ({
        address: harness.family === 'IPv4' ? `192.0.2.${index + 1}` : `2001:db8::${index + 1}`,
        port: 1000 + index,
      }))
      expect(ports(await flows(...unused, service))).toEqual([4001])
    })
    it('has the rules judge the next packet of a removed flow, and leaves the others as they were', async () => {
      const { service, endpoints, conntrack } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      await harness.send(4002)
      await harness.send(4003, { protocol: 'TCP' })
      await harness.route(endpoints[1])
      expect(await harness.send(4001)).toEqual(endpoints[0])
      const [stale, kept] = [...(await flows(service))].sort((a, b) => a.original.source.port - b.original.source.port)
      expect(await conntrack.remove(stale === undefined ? [] : [stale])).toBe(1)
      expect(await harness.send(4001)).toEqual(endpoints[1])
      expect(await harness.send(4002)).toEqual(endpoints[0])
      expect(await harness.send(4003, { protocol: 'TCP' })).toEqual(endpoints[0])
      expect((await flows(service)).find(({ original }) => original.source.port === 4002)?.id).toBe(kept?.id)
    })
    it('switches a flow that reached nobody once its entry is removed', async () => {
      const { service, endpoints, conntrack } = harness
      await harness.route(undefined)
      await harness.send(4001)
      await harness.route(endpoints[0])
      expect(await harness.send(4001)).not.toEqual(endpoints[0])
      expect(await conntrack.remove(await flows(service))).toBe(1)
      expect(await harness.send(4001)).toEqual(endpoints[0])
    })
    it('counts only what was still there', async () => {
      const { service, endpoints, conntrack } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      await harness.send(4002)
      const entries = await flows(service)
      expect(await conntrack.remove(entries.filter(({ original }) => original.source.port === 4001))).toBe(1)
      expect(await conntrack.remove(entries)).toBe(1)
      expect(await conntrack.remove(entries)).toBe(0)
    })
    it('leaves an entry alone that leads elsewhere since it was listed', async () => {
      const { service, endpoints, conntrack } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      const before = await flows(service)
      await conntrack.remove(before)
      await harness.route(endpoints[1])
      await harness.send(4001)
      expect(await conntrack.remove(before)).toBe(0)
      expect(ports(await flows(service))).toEqual([4001])
    })
    it('removes nothing when given nothing', async () => {
      const { service, endpoints, conntrack } = harness
      await harness.route(endpoints[0])
      await harness.send(4001)
      expect(await conntrack.remove([])).toBe(0)
      expect(ports(await flows(service))).toEqual([4001])
    })
  })
}
