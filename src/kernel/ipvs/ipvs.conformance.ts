import { describe, expect, it } from 'vitest'
import type { Ipvs, Operation, RealServer, VirtualServer } from './index.ts'

const web: VirtualServer = { protocol: 'tcp', address: '10.96.0.10', port: 80, scheduler: 'rr' }
const dns: VirtualServer = { protocol: 'udp', address: '10.96.0.10', port: 53, scheduler: 'wlc', persistentSeconds: 30 }
const { persistentSeconds: _, ...forgetful } = dns
const v6: VirtualServer = { protocol: 'tcp', address: 'fd00:96::10', port: 80, scheduler: 'mh' }
const sctp: VirtualServer = { protocol: 'sctp', address: '10.96.0.10', port: 80, scheduler: 'sh' }
const real = (last: number, weight = 1): RealServer => ({ address: `10.1.1.${last}`, port: 8080, weight })
const real6: RealServer = { address: 'fd00:1::2', port: 8080, weight: 1 }

const build: readonly Operation[] = [
  ...[web, dns, v6, sctp].map((server) => ({ kind: 'add server' as const, server })),
  { kind: 'add real', server: web, real: real(2) },
  { kind: 'add real', server: web, real: real(3, 0) },
  { kind: 'add real', server: dns, real: real(2) },
  { kind: 'add real', server: v6, real: real6 },
]

/** What every {@link Ipvs} does. `clear` removes whatever virtual servers there are. */
export const ipvsConformance = (name: string, open: () => { readonly ipvs: Ipvs; clear(): Promise<void> }): void => {
  describe(`ipvs conformance: ${name}`, () => {
    const opened = async (): Promise<Ipvs> => {
      const { ipvs, clear } = open()
      await clear()
      await ipvs.commit(build)
      return ipvs
    }
    const serverOf = async (ipvs: Ipvs, { protocol, address, port }: VirtualServer) =>
      (await ipvs.read()).find((each) => each.protocol === protocol && each.address === address && each.port === port)

    it('gives back what it was told', async () => {
      const ipvs = await opened()
      expect(await ipvs.read()).toHaveLength(4)
      const found = await serverOf(ipvs, web)
      expect(found).toMatchObject(web)
      expect([...(found?.reals ?? [])].sort((a, b) => (a.address < b.address ? -1 : 1))).toEqual([real(2), real(3, 0)])
      expect(await serverOf(ipvs, dns)).toEqual({ ...dns, reals: [real(2)] })
      expect(await serverOf(ipvs, v6)).toEqual({ ...v6, reals: [real6] })
      expect(await serverOf(ipvs, sctp)).toEqual({ ...sctp, reals: [] })
    })
    it('changes scheduler, persistence and weight in place', async () => {
      const ipvs = await opened()
      await ipvs.commit([
        { kind: 'edit server', server: { ...web, scheduler: 'lc', persistentSeconds: 10_800 } },
        { kind: 'edit server', server: forgetful },
        { kind: 'edit real', server: web, real: real(2, 0) },
      ])
      const found = await serverOf(ipvs, web)
      expect(found).toMatchObject({ scheduler: 'lc', persistentSeconds: 10_800 })
      expect(found?.reals.every(({ weight }) => weight === 0)).toBe(true)
      expect((await serverOf(ipvs, dns))?.persistentSeconds).toBeUndefined()
    })
    it('deletes a virtual server with its real servers, and a real server alone', async () => {
      const ipvs = await opened()
      await ipvs.commit([
        { kind: 'delete server', server: dns },
        { kind: 'delete real', server: web, real: real(3) },
      ])
      expect(await serverOf(ipvs, dns)).toBeUndefined()
      expect((await serverOf(ipvs, web))?.reals).toEqual([real(2)])
    })
    it.each<readonly [string, Operation]>([
      ['a virtual server that is there', { kind: 'add server', server: web }],
      ['a virtual server that is not there', { kind: 'delete server', server: { ...web, port: 81 } }],
      ['a scheduler that nobody knows', { kind: 'add server', server: { ...web, port: 81, scheduler: 'nosuch' } }],
      ['a real server that is there', { kind: 'add real', server: web, real: real(2) }],
      ['a real server of no virtual server', { kind: 'add real', server: { ...web, port: 81 }, real: real(2) }],
      ['to edit a real server that is not there', { kind: 'edit real', server: web, real: real(9) }],
      ['to delete a real server that is not there', { kind: 'delete real', server: web, real: real(9) }],
    ])('refuses %s, and does the rest all the same', async (_, refused) => {
      const ipvs = await opened()
      const after: Operation = { kind: 'add real', server: web, real: real(7) }
      await expect(ipvs.commit([refused, after])).rejects.toThrow()
      expect((await serverOf(ipvs, web))?.reals).toContainEqual(real(7))
    })
    it('refuses a real server of the other family, and does nothing', async () => {
      const ipvs = await opened()
      const before: Operation = { kind: 'add real', server: web, real: real(7) }
      await expect(ipvs.commit([before, { kind: 'add real', server: web, real: real6 }])).rejects.toThrow(
        'another address family',
      )
      expect((await serverOf(ipvs, web))?.reals).not.toContainEqual(real(7))
    })
    it('tells what real servers carry, and where there is nothing', async () => {
      const ipvs = await opened()
      const loads = await ipvs.loads(web)
      expect([...(loads ?? [])].sort((a, b) => (a.address < b.address ? -1 : 1))).toEqual([
        { ...real(2), active: 0, inactive: 0 },
        { ...real(3, 0), active: 0, inactive: 0 },
      ])
      expect(await ipvs.loads(v6)).toEqual([{ ...real6, active: 0, inactive: 0 }])
      expect(await ipvs.loads(sctp)).toEqual([])
      expect(await ipvs.loads({ ...web, port: 81 })).toBeUndefined()
    })
    it('remembers silent connections for as long as it is told, and leaves the other timeouts alone', async () => {
      const { ipvs } = open()
      const before = await ipvs.timeouts()
      await ipvs.setTimeouts({ tcp: before.tcp + 1, udp: before.udp + 2 })
      expect(await ipvs.timeouts()).toEqual({ tcp: before.tcp + 1, tcpFin: before.tcpFin, udp: before.udp + 2 })
      await ipvs.setTimeouts(before)
      expect(await ipvs.timeouts()).toEqual(before)
    })
    it('can be used here with every scheduler', async () => {
      const { ipvs } = open()
      for (const scheduler of ['rr', 'wrr', 'lc', 'wlc', 'dh', 'sh', 'sed', 'nq', 'mh'] as const) {
        expect(await ipvs.probe(scheduler)).toBeUndefined()
      }
    })
  })
}
