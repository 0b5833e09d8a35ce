import { afterEach, describe, expect, it } from 'vitest'
import { ipAddressKind, isNotFound, type ServiceCIDR, serviceCIDRKind, serviceKind } from '../../../api/index.ts'
import { type AllocatingApi, allocationsOf, newService, startAllocatingApi } from '../../allocators/testing/allocating-api.ts'
import { SERVICE_CIDR_FINALIZER } from './index.ts'

const apis: AllocatingApi[] = []
const start = async (serviceCIDRs: readonly string[]): Promise<AllocatingApi> => {
  const api = await startAllocatingApi({ serviceCIDRs })
  apis.push(api)
  return api
}
afterEach(async () => {
  for (const api of apis.splice(0)) await api.remove()
})

const ready = ({ status }: ServiceCIDR) =>
  status?.conditions?.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`)
const gone = (api: AllocatingApi, name: string): Promise<boolean> =>
  api.client.get(serviceCIDRKind, { name }).then(() => false, isNotFound)
const ref = (name: string) => ({ namespace: 'default', name })

describe('a ServiceCIDR', () => {
  it('is ready when it is stored, and held by a finalizer', async () => {
    const api = await start(['10.96.0.0/24'])
    const made = await api.client.get(serviceCIDRKind, { name: 'kubernetes' })
    expect(ready(made)).toEqual(['Ready=True Ready'])
    expect(made.metadata.finalizers).toEqual([SERVICE_CIDR_FINALIZER])
    expect(made.spec.cidrs).toEqual(['10.96.0.0/24'])
  })

  it('adds addresses to a cluster whose range is full', async () => {
    const api = await start(['10.96.0.0/30'])
    await api.client.create(serviceKind, newService('a'))
    await expect(api.client.create(serviceKind, newService('b'))).rejects.toThrow('range is full')
    await api.client.create(serviceCIDRKind, { metadata: { name: 'more' }, spec: { cidrs: ['10.97.0.0/24'] } })
    const { spec } = await api.client.create(serviceKind, newService('b'))
    expect(spec.clusterIP).toMatch(/^10\.97\.0\./)
  })

  it('keeps its ranges', async () => {
    const api = await start(['10.96.0.0/24'])
    const made = await api.client.get(serviceCIDRKind, { name: 'kubernetes' })
    await expect(api.client.update(serviceCIDRKind, { ...made, spec: { cidrs: ['10.0.0.0/8'] } })).rejects.toThrow(
      'field is immutable',
    )
  })

  it('goes at once when nothing is in it', async () => {
    const api = await start(['10.96.0.0/24'])
    await api.client.create(serviceCIDRKind, { metadata: { name: 'more' }, spec: { cidrs: ['10.97.0.0/24'] } })
    await api.client.delete(serviceCIDRKind, { name: 'more' })
    await expect.poll(() => gone(api, 'more')).toBe(true)
  })

  it('stays while an address would lose its only range, gives out none, and goes with the last', async () => {
    const api = await start(['10.96.0.0/24'])
    await api.client.create(serviceCIDRKind, { metadata: { name: 'more' }, spec: { cidrs: ['10.97.0.0/24'] } })
    for (const [index, name] of ['a', 'b'].entries())
      await api.client.create(serviceKind, newService(name, { clusterIP: `10.97.0.${index + 5}` }))
    const leaving = await api.client.delete(serviceCIDRKind, { name: 'more' })
    expect(leaving && ready(leaving)).toEqual(['Ready=False Terminating'])
    await expect(api.client.create(serviceKind, newService('c', { clusterIP: '10.97.0.9' }))).rejects.toThrow(
      'is not in the valid range. The range of valid IPs is 10.96.0.0/24',
    )
    await api.client.delete(serviceKind, ref('a'))
    expect(await gone(api, 'more')).toBe(false)
    await api.client.delete(serviceKind, ref('b'))
    await expect.poll(() => gone(api, 'more')).toBe(true)
    const { addresses, claimedAddresses } = await allocationsOf(api)
    expect(addresses).toEqual(claimedAddresses)
  })

  it('goes while its addresses lie in another range as well', async () => {
    const api = await start(['10.96.0.0/24'])
    await api.client.create(serviceCIDRKind, { metadata: { name: 'narrow' }, spec: { cidrs: ['10.97.0.0/28'] } })
    await api.client.create(serviceCIDRKind, { metadata: { name: 'wide' }, spec: { cidrs: ['10.97.0.0/16'] } })
    await api.client.create(serviceKind, newService('a', { clusterIP: '10.97.0.5' }))
    await api.client.delete(serviceCIDRKind, { name: 'narrow' })
    await expect.poll(() => gone(api, 'narrow')).toBe(true)
  })

  it('no Service gets an address of a range that is deleted in the same moment', async () => {
    const api = await start(['10.96.0.0/30'])
    for (let round = 0; round < 10; round++) {
      const name = `r${round}`
      await api.client.create(serviceCIDRKind, { metadata: { name }, spec: { cidrs: [`10.97.${round}.0/28`] } })
      await Promise.allSettled([
        ...Array.from({ length: 5 }, (_, index) =>
          api.client.create(serviceKind, newService(`s${round}-${index}`, { clusterIP: `10.97.${round}.${index + 2}` })),
        ),
        api.client.delete(serviceCIDRKind, { name }),
      ])
      const held = (await api.client.list(ipAddressKind)).items.some((item) => item.metadata.name.startsWith(`10.97.${round}.`))
      if (held) expect(await gone(api, name)).toBe(false)
    }
  })
})

describe('an IPAddress that somebody makes', () => {
  it('is taken, and is not deleted with a Service', async () => {
    const api = await start(['10.96.0.0/24'])
    const parentRef = { group: 'example.org', resource: 'gateways', name: 'edge' }
    await api.client.create(ipAddressKind, { metadata: { name: '10.96.0.77' }, spec: { parentRef } })
    await expect(api.client.create(serviceKind, newService('web', { clusterIP: '10.96.0.77' }))).rejects.toThrow(
      'provided IP is already allocated',
    )
    await api.client.delete(ipAddressKind, { name: '10.96.0.77' })
    const { spec } = await api.client.create(serviceKind, newService('web', { clusterIP: '10.96.0.77' }))
    expect(spec.clusterIP).toBe('10.96.0.77')
  })
})
