import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ServiceCIDR } from '../../api/index.ts'
import { createAddressPool } from './address-pool.ts'
import { createPortPool, type Protocol } from './port-pool.ts'

const serviceCIDR = (name: string, cidrs: readonly string[], deletionTimestamp?: string): ServiceCIDR => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name, deletionTimestamp },
  spec: { cidrs },
})
const stored = (name: string) => ({ key: `/cidrs/${name}`, modRevision: 1 })

describe('the address pool', () => {
  it('uses the default ServiceCIDR first, then the others by name', () => {
    const pool = createAddressPool()
    pool.setCIDR(serviceCIDR('b', ['10.2.0.0/30']), stored('b'))
    pool.setCIDR(serviceCIDR('a', ['10.1.0.0/30']), stored('a'))
    pool.setCIDR(serviceCIDR('kubernetes', ['10.9.0.0/30']), stored('kubernetes'))
    const picks = Array.from({ length: 6 }, () => pool.pick('IPv4')?.address)
    // The first address of the default one is nobody's to pick.
    expect(picks[0]).toBe('10.9.0.2')
    expect(picks.slice(1, 3).sort()).toEqual(['10.1.0.1', '10.1.0.2'])
    expect(picks.slice(3, 5).sort()).toEqual(['10.2.0.1', '10.2.0.2'])
    expect(picks[5]).toBeUndefined()
  })

  it('gives nothing from a range that is being deleted, and knows whether it is needed', () => {
    const pool = createAddressPool()
    pool.setCIDR(serviceCIDR('a', ['10.1.0.0/24'], '2026-01-01T00:00:00Z'), stored('a'))
    pool.addAddress('10.1.0.9')
    expect(pool.pick('IPv4')).toBeUndefined()
    expect(pool.rangeOf('10.1.0.10')).toBeUndefined()
    expect(pool.families).toEqual([])
    expect(pool.isNeeded('a')).toBe(true)
    pool.setCIDR(serviceCIDR('wide', ['10.0.0.0/8']), stored('wide'))
    expect(pool.isNeeded('a')).toBe(false)
  })

  it('an address that is taken in one range is taken in every range that overlaps', () => {
    const pool = createAddressPool(() => 0)
    pool.setCIDR(serviceCIDR('a', ['10.0.0.0/30']), stored('a'))
    pool.setCIDR(serviceCIDR('b', ['10.0.0.0/29']), stored('b'))
    const picks = Array.from({ length: 7 }, () => pool.pick('IPv4')?.address)
    expect(new Set(picks.filter(Boolean)).size).toBe(6)
  })

  it('a range that comes later knows what is taken and reserved', () => {
    const pool = createAddressPool()
    pool.addAddress('10.0.0.1')
    pool.reserve('10.0.0.2')
    pool.setCIDR(serviceCIDR('a', ['10.0.0.0/30']), stored('a'))
    expect(pool.pick('IPv4')).toBeUndefined()
    pool.unreserve('10.0.0.2')
    expect(pool.pick('IPv4')?.address).toBe('10.0.0.2')
  })

  it('in any history gives an address exactly when one is neither stored nor reserved', () => {
    const address = fc.integer({ min: 1, max: 6 }).map((byte) => `10.0.0.${byte}`)
    const step = fc.record({ verb: fc.constantFrom('add', 'delete', 'reserve', 'unreserve', 'pick'), address })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = createAddressPool()
        pool.setCIDR(serviceCIDR('a', ['10.0.0.0/29']), stored('a'))
        const model = { stored: new Set<string>(), reserved: [] as string[] }
        for (const { verb, address: text } of steps) {
          if (verb === 'add') {
            pool.addAddress(text)
            model.stored.add(text)
          } else if (verb === 'delete') {
            pool.deleteAddress(text)
            model.stored.delete(text)
          } else if (verb === 'reserve') {
            pool.reserve(text)
            model.reserved.push(text)
          } else if (verb === 'unreserve' && model.reserved.includes(text)) {
            pool.unreserve(text)
            model.reserved.splice(model.reserved.indexOf(text), 1)
          } else if (verb === 'pick') {
            const picked = pool.pick('IPv4')?.address
            const taken = new Set([...model.stored, ...model.reserved])
            if (picked === undefined) expect(taken.size).toBe(6)
            else {
              expect(taken.has(picked)).toBe(false)
              model.reserved.push(picked)
            }
          }
        }
      }),
    )
  })
})

describe('the port pool', () => {
  it('finds a number that is free for all protocols when there is one', () => {
    const pool = createPortPool({ from: 30000, to: 30009 })
    for (let port = 30000; port < 30009; port++) pool.add(port % 2 === 0 ? 'TCP' : 'UDP', port)
    expect(pool.pick(['TCP', 'UDP'])).toBe(30009)
    expect(pool.pick(['TCP', 'UDP'])).toBeUndefined()
    expect(pool.pick(['SCTP'])).toBeGreaterThanOrEqual(30000)
  })

  it('gives each number once for each protocol, until there are none', () => {
    const pool = createPortPool({ from: 30000, to: 30039 })
    for (const protocol of ['TCP', 'UDP'] satisfies Protocol[]) {
      const picks = Array.from({ length: 40 }, () => pool.pick([protocol]))
      expect(new Set(picks).size).toBe(40)
      expect(pool.pick([protocol])).toBeUndefined()
    }
  })

  it('forgets all that was stored when it is cleared, and keeps what is reserved', () => {
    const pool = createPortPool({ from: 30000, to: 30001 })
    pool.add('TCP', 30000)
    pool.reserve('TCP', 30001)
    pool.clear()
    expect(pool.pick(['TCP'])).toBe(30000)
    expect(pool.pick(['TCP'])).toBeUndefined()
  })
})
