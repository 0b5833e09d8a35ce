import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answer } from './answer.ts'
import type { ZoneRecord } from './records.ts'
import { createZone } from './zone.ts'

const a = (name: string, address: string): ZoneRecord => ({ name, type: 'A', address })

describe('zone', () => {
  it('after any history holds just what its owners have now', () => {
    const owner = fc.constantFrom('a/x', 'a/y', 'b/x')
    const name = fc.constantFrom('w.a.svc.c', 'x.w.a.svc.c', 'v.b.svc.c')
    const record = fc.tuple(name, fc.constantFrom('10.0.0.1', '10.0.0.2')).map(([n, address]) => a(n, address))
    const step = fc.tuple(owner, fc.uniqueArray(record, { selector: (r) => JSON.stringify(r), maxLength: 4 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (history) => {
        const zone = createZone()
        const fresh = createZone()
        for (const [who, records] of history) zone.replace(who, records)
        for (const [who, records] of new Map(history)) fresh.replace(who, records)
        for (const n of ['w.a.svc.c', 'x.w.a.svc.c', 'v.b.svc.c', 'a.svc.c', 'b.svc.c', 'svc.c', 'c']) {
          expect(zone.exists(n)).toBe(fresh.exists(n))
          expect(addresses(zone.find(n, 'A'))).toEqual(addresses(fresh.find(n, 'A')))
        }
      }),
    )
  })
})

const addresses = (records: readonly ZoneRecord[]): readonly string[] =>
  records.map((r) => ('address' in r ? r.address : '')).sort()

describe('answer', () => {
  const zone = createZone()
  zone.replace('shop/web', [
    a('web.shop.svc.c.local', '10.96.0.7'),
    { name: '_http._tcp.web.shop.svc.c.local', type: 'SRV', target: 'web.shop.svc.c.local', port: 80 },
    { name: '7.0.96.10.in-addr.arpa', type: 'PTR', target: 'web.shop.svc.c.local' },
  ])
  zone.replace('shop/alias', [{ name: 'alias.shop.svc.c.local', type: 'CNAME', target: 'example.com' }])

  it.each([
    ['web.shop.svc.c.local', 'A', 'records', 1],
    ['web.shop.svc.c.local', 'AAAA', 'records', 0],
    ['web.shop.svc.c.local', 'MX', 'records', 0],
    ['shop.svc.c.local', 'A', 'records', 0],
    ['_tcp.web.shop.svc.c.local', 'A', 'records', 0],
    ['nosuch.shop.svc.c.local', 'A', 'name-error', 0],
    ['nosuch.web.shop.svc.c.local', 'A', 'name-error', 0],
    ['c.local', 'A', 'records', 0],
    ['dns-version.c.local', 'TXT', 'records', 1],
    ['alias.shop.svc.c.local', 'A', 'records', 1],
    ['10-0-0-9.shop.pod.c.local', 'A', 'records', 1],
    ['10-0-0-9.shop.pod.c.local', 'AAAA', 'records', 0],
    ['10-0-0-999.shop.pod.c.local', 'A', 'name-error', 0],
    ['7.0.96.10.in-addr.arpa', 'PTR', 'records', 1],
    ['8.0.96.10.in-addr.arpa', 'PTR', 'not-ours', 0],
    ['example.com', 'A', 'not-ours', 0],
    ['notc.local', 'A', 'not-ours', 0],
  ])('%s %s: %s with %i', (name, type, kind, count) => {
    const found = answer(zone, 'c.local', { name, type })
    expect(found.kind).toBe(kind)
    expect(found.kind === 'records' ? found.answers : []).toHaveLength(count)
  })

  it('gives the address of an SRV target along', () => {
    const found = answer(zone, 'c.local', { name: '_http._tcp.web.shop.svc.c.local', type: 'SRV' })
    expect(found).toMatchObject({ additionals: [{ type: 'A', address: '10.96.0.7' }] })
  })
})
