import { describe, expect, it } from 'vitest'
import { type Kind, scheme, serviceKind } from '../../api/index.ts'
import { createDiscovery } from './documents.ts'
import { compareVersions } from './groups.ts'
import { negotiateDiscovery } from './negotiate-discovery.ts'
import type { VirtualKind } from './resource.ts'
import { versionInfo } from './version.ts'

const review: VirtualKind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  singular: 'selfsubjectaccessreview',
  namespaced: false,
  verbs: ['create'],
}
const beta: Kind = { ...scheme.find((kind) => kind.kind === 'Ingress')!, version: 'v1beta1' }
const stable = scheme.filter((kind) => kind.version === 'v1')
const discovery = createDiscovery([beta, ...stable], [review])

// biome-ignore lint/suspicious/noExplicitAny: documents are asserted as a client sees them
const json = (path: string, form: 'legacy' | 'v2' | 'v2beta1' = 'legacy'): any => {
  const document = discovery.document(path, form)
  return document && JSON.parse(document.body.toString())
}

describe('legacy documents', () => {
  it('/api lists the versions of the core group', () => {
    expect(json('/api')).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
  })

  it('/apis lists groups with the most stable version preferred', () => {
    const groups = json('/apis').groups
    const networking = groups.find((group: { name: string }) => group.name === 'networking.k8s.io')
    expect(networking.preferredVersion).toEqual({ groupVersion: 'networking.k8s.io/v1', version: 'v1' })
    expect(networking.versions.map((entry: { version: string }) => entry.version)).toEqual(['v1', 'v1beta1'])
    expect(groups.some((group: { name: string }) => group.name === '')).toBe(false)
  })

  it('/apis/GROUP is one of them', () => {
    expect(json('/apis/apps')).toMatchObject({ kind: 'APIGroup', name: 'apps', preferredVersion: { version: 'v1' } })
  })

  it('/api/v1 lists resources and subresources', () => {
    const { resources, groupVersion } = json('/api/v1')
    const entry = (name: string) => resources.find((resource: { name: string }) => resource.name === name)
    expect(groupVersion).toBe('v1')
    expect(entry('services')).toEqual({
      name: 'services',
      singularName: 'service',
      namespaced: true,
      kind: 'Service',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['svc'],
      categories: ['all'],
    })
    expect(entry('services/status')).toMatchObject({ singularName: '', kind: 'Service', verbs: ['get', 'patch', 'update'] })
    expect(entry('namespaces').verbs).not.toContain('deletecollection')
  })

  it('/apis/GROUP/VERSION names the kind of a subresource from another group', () => {
    const scale = json('/apis/apps/v1').resources.find((resource: { name: string }) => resource.name === 'deployments/scale')
    expect(scale).toMatchObject({ group: 'autoscaling', version: 'v1', kind: 'Scale' })
  })

  it('lists kinds that are answered but not stored', () => {
    expect(json('/apis/authorization.k8s.io/v1').resources).toMatchObject([
      { name: 'selfsubjectaccessreviews', verbs: ['create'] },
    ])
  })

  it.each(['/apis/nosuch', '/apis/apps/v2', '/api/v2', '/apis/', '', '__proto__'])('%j is nothing', (path) => {
    expect(discovery.document(path, 'legacy')).toBeUndefined()
  })
})

describe.each(['v2', 'v2beta1'] as const)('aggregated %s', (form) => {
  it('says its content type', () => {
    expect(discovery.document('/apis', form)?.contentType).toBe(
      `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`,
    )
  })

  it('nests subresources in resources in versions in groups', () => {
    const core = json('/api', form)
    expect(core).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${form}` })
    const services = core.items[0].versions[0].resources.find((entry: { resource: string }) => entry.resource === 'services')
    expect(services).toMatchObject({
      responseKind: { group: '', version: 'v1', kind: 'Service' },
      scope: 'Namespaced',
      singularResource: 'service',
      subresources: [{ subresource: 'status', verbs: ['get', 'patch', 'update'] }],
    })
  })

  it('has every group but core under /apis', () => {
    const names = json('/apis', form).items.map((item: { metadata: { name: string } }) => item.metadata.name)
    expect(names).toEqual(expect.arrayContaining(['apps', 'networking.k8s.io', 'discovery.k8s.io', 'coordination.k8s.io']))
    expect(names).not.toContain(undefined)
  })

  it('says the same as the legacy documents', () => {
    for (const item of json('/apis', form).items) {
      for (const { version, resources } of item.versions) {
        const aggregated = resources.flatMap((entry: { resource: string; subresources?: { subresource: string }[] }) => [
          entry.resource,
          ...(entry.subresources ?? []).map((sub) => `${entry.resource}/${sub.subresource}`),
        ])
        const plain = json(`/apis/${item.metadata.name}/${version}`).resources.map((entry: { name: string }) => entry.name)
        expect(aggregated).toEqual(plain)
      }
    }
  })
})

describe('ETag', () => {
  it('is the same for the same kinds, and another for others', () => {
    const etag = (kinds: readonly Kind[]) => createDiscovery(kinds).document('/api', 'v2')?.etag
    expect(etag([serviceKind])).toBe(etag([serviceKind]))
    expect(etag([serviceKind])).not.toBe(etag([]))
    expect(etag([serviceKind])).toMatch(/^"[0-9A-F]{128}"$/)
  })
})

describe('negotiation', () => {
  const aggregated = (version: string) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
  it.each([
    [undefined, 'legacy'],
    ['', 'legacy'],
    ['application/json, */*', 'legacy'],
    [`${aggregated('v2')},${aggregated('v2beta1')},application/json`, 'v2'],
    [`${aggregated('v2beta1')},application/json`, 'v2beta1'],
    [`${aggregated('v3')},${aggregated('v2')}`, 'v2'],
    [`application/json,${aggregated('v2')}`, 'legacy'],
    ['application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io', 'v2'],
    ['text/html', 'legacy'],
  ])('%j asks for %s', (accept, form) => {
    expect(negotiateDiscovery(accept)).toBe(form)
  })
})

it('orders versions as Kubernetes does', () => {
  const versions = ['v1alpha1', 'v10', 'foo10', 'v2', 'v1', 'v11beta2', 'v3beta1', 'v12alpha1', 'v11alpha2', 'foo1', 'v10beta3']
  expect(versions.sort(compareVersions)).toEqual([
    'v10',
    'v2',
    'v1',
    'v11beta2',
    'v10beta3',
    'v3beta1',
    'v12alpha1',
    'v11alpha2',
    'v1alpha1',
    'foo1',
    'foo10',
  ])
})

it('has a version that clients parse', () => {
  expect(versionInfo('0.1.0')['gitVersion']).toBe('v1.35.0+fairway-0.1.0')
})
