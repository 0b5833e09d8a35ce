import { afterEach, describe, expect, it } from 'vitest'
import { endpointSliceKind, endpointsKind, serviceCIDRKind, serviceKind } from '../../api/index.ts'
import { silentLogger, UserError } from '../../base/index.ts'
import type { ApiPort, Client } from '../../client/index.ts'
import { type AllocatingApi, allocationsOf, startAllocatingApi } from '../allocators/testing/allocating-api.ts'
import { bootstrap } from './index.ts'

const apis: AllocatingApi[] = []
const start = async (serviceCIDRs?: readonly string[]): Promise<AllocatingApi> => {
  const api = await startAllocatingApi({ serviceCIDRs })
  apis.push(api)
  return api
}
afterEach(async () => {
  for (const api of apis.splice(0)) await api.remove()
})

const kubernetes = { namespace: 'default', name: 'kubernetes' }
const again = (
  api: AllocatingApi,
  change: { address?: string; apiPort?: number; serviceCIDRs?: readonly string[]; port?: ApiPort } = {},
) =>
  bootstrap({ port: api.port, log: silentLogger, serviceCIDRs: ['10.96.0.0/24'], address: '192.0.2.1', apiPort: 6443, ...change })
const slice = (client: Client) => client.get(endpointSliceKind, kubernetes)

describe('bootstrap', () => {
  it('makes the Service at the first address, with endpoints at the server', async () => {
    const { client } = await start()
    const service = await client.get(serviceKind, kubernetes)
    expect(service.spec).toMatchObject({
      type: 'ClusterIP',
      clusterIP: '10.96.0.1',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    })
    expect(await slice(client)).toMatchObject({
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }],
      ports: [{ name: 'https', protocol: 'TCP', port: 6443 }],
      metadata: { labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    })
    expect((await client.get(endpointsKind, kubernetes)).subsets).toMatchObject([
      { addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 6443 }] },
    ])
  })

  it('works with addresses of IPv6', async () => {
    const { client } = await start(['fd00:96::/112'])
    expect((await client.get(serviceKind, kubernetes)).spec.clusterIPs).toEqual(['fd00:96::1'])
  })

  it('writes nothing when all is as it should be', async () => {
    const api = await start()
    const { revision } = api.store
    await again(api)
    expect(api.store.revision).toBe(revision)
  })

  it('replaces the endpoint when the port or the address has changed', async () => {
    const api = await start()
    await again(api, { apiPort: 7443 })
    expect(await slice(api.client)).toMatchObject({ endpoints: [{ addresses: ['192.0.2.1'] }], ports: [{ port: 7443 }] })
    expect((await api.client.get(serviceKind, kubernetes)).spec.ports?.[0]?.targetPort).toBe(7443)
    await again(api, { address: '2001:db8::9' })
    expect(await slice(api.client)).toMatchObject({ addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::9'] }] })
    expect((await api.client.get(endpointsKind, kubernetes)).subsets).toMatchObject([{ addresses: [{ ip: '2001:db8::9' }] }])
  })

  it('takes a loopback address, where an ordinary user has no other', async () => {
    const api = await start()
    await again(api, { address: '127.0.0.1' })
    expect(await slice(api.client)).toMatchObject({ endpoints: [{ addresses: ['127.0.0.1'] }] })
  })

  it('heals what was changed, and keeps the address', async () => {
    const api = await start()
    const service = await api.client.get(serviceKind, kubernetes)
    await api.client.update(serviceKind, {
      ...service,
      spec: { ...service.spec, selector: { app: 'mine' }, type: 'NodePort', ports: [{ port: 1, protocol: 'UDP' }] },
    })
    await again(api)
    const healed = await api.client.get(serviceKind, kubernetes)
    expect(healed.spec).toMatchObject({ type: 'ClusterIP', clusterIP: '10.96.0.1', ports: [{ port: 443, targetPort: 6443 }] })
    expect(healed.spec.selector).toBeUndefined()
    const { ports } = await allocationsOf(api)
    expect(ports).toEqual([])
  })

  it('makes again what was deleted, at the same address', async () => {
    const api = await start()
    await api.client.delete(serviceKind, kubernetes)
    await api.client.delete(endpointSliceKind, kubernetes)
    await again(api)
    expect((await api.client.get(serviceKind, kubernetes)).spec.clusterIP).toBe('10.96.0.1')
    expect((await slice(api.client)).endpoints).toHaveLength(1)
  })

  it('turns an ExternalName back', async () => {
    const api = await start()
    await api.client.patch(serviceKind, kubernetes, {
      type: 'merge',
      value: { spec: { type: 'ExternalName', externalName: 'example.org' } },
    })
    await again(api)
    expect((await api.client.get(serviceKind, kubernetes)).spec).toMatchObject({ type: 'ClusterIP', clusterIP: '10.96.0.1' })
  })

  it('refuses another range with one line, and takes a second family', async () => {
    const api = await start()
    const refused = again(api, { serviceCIDRs: ['10.0.0.0/24'] })
    await expect(refused).rejects.toThrow(UserError)
    await expect(refused).rejects.toThrow('have addresses in 10.96.0.0/24, not in 10.0.0.0/24')
    await again(api, { serviceCIDRs: ['10.96.0.0/24', 'fd00:96::/112'] })
    expect((await api.client.get(serviceCIDRKind, { name: 'kubernetes' })).spec.cidrs).toEqual(['10.96.0.0/24', 'fd00:96::/112'])
  })
})
