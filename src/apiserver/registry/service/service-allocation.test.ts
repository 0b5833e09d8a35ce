import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError, type ServiceSpec, serviceKind } from '../../../api/index.ts'
import { openTempStore } from '../../../store/testing/temp-store.ts'
import {
  type AllocatingApi,
  allocationsOf,
  newService,
  port,
  startAllocatingApi,
} from '../../allocators/testing/allocating-api.ts'
import { allocatingServers, deleteServices, expectNoLeak, refusal, web } from './testing/services.ts'

const start = allocatingServers()

describe('two families', () => {
  const serviceCIDRs = ['10.96.0.0/24', 'fd00:96::/112']

  it.each<[string, Partial<ServiceSpec>, readonly string[] | string]>([
    ['nothing', {}, ['IPv4']],
    ['PreferDualStack', { ipFamilyPolicy: 'PreferDualStack' }, ['IPv4', 'IPv6']],
    ['RequireDualStack', { ipFamilyPolicy: 'RequireDualStack' }, ['IPv4', 'IPv6']],
    ['IPv6', { ipFamilies: ['IPv6'] }, ['IPv6']],
    ['IPv6 first', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] }, ['IPv6', 'IPv4']],
    ['an IPv6 address', { clusterIP: 'fd00:96::9' }, ['IPv6']],
    ['one address of two', { ipFamilyPolicy: 'RequireDualStack', clusterIP: 'fd00:96::9' }, ['IPv6', 'IPv4']],
    ['two families without a policy', { ipFamilies: ['IPv4', 'IPv6'] }, 'must be RequireDualStack or PreferDualStack'],
  ])('asked for %s', async (_, spec, expected) => {
    const api = await start({ serviceCIDRs })
    const creating = api.client.create(serviceKind, newService('web', spec))
    if (typeof expected === 'string') {
      expect(await refusal(creating)).toContain(expected)
      return
    }
    const created = await creating
    expect(created.spec.ipFamilies).toEqual(expected)
    expect(created.spec.clusterIPs?.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'))).toEqual(expected)
    if (spec.clusterIP !== undefined) expect(created.spec.clusterIP).toBe(spec.clusterIP)
    await expectNoLeak(api)
  })

  it('the second one comes and goes with the policy', async () => {
    const api = await start({ serviceCIDRs })
    const before = await api.client.create(serviceKind, newService('web'))
    const setPolicy = (ipFamilyPolicy: string) =>
      api.client.patch(serviceKind, web, { type: 'merge', value: { spec: { ipFamilyPolicy } } })
    const both = await setPolicy('RequireDualStack')
    expect(both.spec.clusterIPs).toEqual([before.spec.clusterIP, expect.stringContaining('fd00:96::')])
    await expectNoLeak(api)
    const one = await setPolicy('SingleStack')
    expect(one.spec).toMatchObject({ clusterIPs: [before.spec.clusterIP], ipFamilies: ['IPv4'] })
    await expectNoLeak(api)
  })

  it('cannot be required of a cluster with one', async () => {
    const api = await start()
    expect(await refusal(api.client.create(serviceKind, newService('web', { ipFamilyPolicy: 'RequireDualStack' })))).toContain(
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    )
    const { spec } = await api.client.create(serviceKind, newService('web', { ipFamilyPolicy: 'PreferDualStack' }))
    expect(spec.ipFamilies).toEqual(['IPv4'])
  })
})

describe('what is not committed', () => {
  it('a dry run allocates nothing and shows what it would', async () => {
    const api = await start({ serviceCIDRs: ['10.96.0.0/30'], nodePortRange: { from: 30000, to: 30000 } })
    const { revision } = api.store
    for (let round = 0; round < 3; round++) {
      const dry = await api.client.create(serviceKind, newService('web', { type: 'NodePort' }), { dryRun: true })
      expect(dry.spec).toMatchObject({ clusterIP: '10.96.0.2', ports: [{ nodePort: 30000 }] })
    }
    expect(api.store.revision).toBe(revision)
    await api.client.create(serviceKind, newService('web', { type: 'NodePort' }))
    await expectNoLeak(api)
  })

  it('a create of a name that exists gives its picks back', async () => {
    const api = await start({ serviceCIDRs: ['10.96.0.0/29'] })
    await api.client.create(serviceKind, newService('web'))
    for (let round = 0; round < 10; round++) {
      expect(await refusal(api.client.create(serviceKind, newService('web')))).toContain('already exists')
    }
    for (const name of ['a', 'b', 'c', 'd']) await api.client.create(serviceKind, newService(name))
    await expectNoLeak(api)
  })
})

describe('over restarts and in random histories', () => {
  it('a new server knows what is taken', async () => {
    const temp = await openTempStore()
    const options = { serviceCIDRs: ['10.96.0.0/28'], store: temp.store }
    const api = await startAllocatingApi(options)
    for (const name of ['a', 'b', 'c']) await api.client.create(serviceKind, newService(name, { type: 'NodePort' }))
    await api.stop()
    const again = await startAllocatingApi(options)
    await Promise.all(Array.from({ length: 10 }, (_, index) => again.client.create(serviceKind, newService(`n${index}`))))
    expect(await refusal(again.client.create(serviceKind, newService('more')))).toContain('range is full')
    await expectNoLeak(again)
    await again.stop()
    await temp.remove()
  })

  it('no address or port is ever given twice, and none leaks', { timeout: 60_000 }, async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const type = fc.constantFrom<ServiceSpec['type'][]>('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName')
    const spec = fc.record(
      {
        type,
        clusterIP: fc.constantFrom('10.96.0.2', '10.96.0.3', 'None', '', '10.96.0.40'),
        nodePort: fc.constantFrom(30000, 30001, 29999),
        externalTrafficPolicy: fc.constantFrom<('Local' | 'Cluster')[]>('Local', 'Cluster'),
        ipFamilyPolicy: fc.constantFrom<ServiceSpec['ipFamilyPolicy'][]>('SingleStack', 'PreferDualStack', 'RequireDualStack'),
        dryRun: fc.boolean(),
      },
      { requiredKeys: ['type'] },
    )
    const step = fc.oneof(
      fc.record({ verb: fc.constant('create' as const), name, spec }),
      fc.record({ verb: fc.constant('replace' as const), name, spec }),
      fc.record({ verb: fc.constant('patch' as const), name, type }),
      fc.record({ verb: fc.constant('delete' as const), name }),
    )
    type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
    const bodyOf = (of: string, { nodePort, dryRun: _, ...rest }: Extract<Step, { verb: 'create' }>['spec']) =>
      newService(of, {
        ...rest,
        ports: [port(80, { nodePort })],
        externalName: rest.type === 'ExternalName' ? 'example.org' : undefined,
      })
    const run = async ({ client }: AllocatingApi, each: Step): Promise<unknown> => {
      const ref = { namespace: 'default', name: each.name }
      switch (each.verb) {
        case 'create':
          return client.create(serviceKind, bodyOf(each.name, each.spec), { dryRun: each.spec.dryRun })
        case 'replace':
          return client.update(
            serviceKind,
            { ...bodyOf(each.name, each.spec), apiVersion: 'v1', kind: 'Service' },
            { dryRun: each.spec.dryRun },
          )
        case 'patch':
          return client.patch(serviceKind, ref, {
            type: 'merge',
            value: { spec: { type: each.type, externalName: 'example.org' } },
          })
        case 'delete':
          return client.delete(serviceKind, ref)
        default:
          return each satisfies never
      }
    }
    const api = await start({ serviceCIDRs: ['10.96.0.0/29', 'fd00:96::/125'], nodePortRange: { from: 30000, to: 30005 } })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), async (rounds) => {
        for (const steps of rounds) {
          const outcomes = await Promise.all(steps.map((each) => run(api, each).catch((error: unknown) => error)))
          for (const outcome of outcomes) if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ApiError)
          await expectNoLeak(api)
        }
        await deleteServices(api)
        expect(await allocationsOf(api)).toMatchObject({ addresses: [expect.stringContaining('default/kubernetes')], ports: [] })
      }),
      { numRuns: 40 },
    )
  })
})
