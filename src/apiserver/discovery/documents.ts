import { createHash } from 'node:crypto'
import type { Kind } from '../../api/index.ts'
import { type Group, type GroupVersion, groupsOf } from './groups.ts'
import { type ApiResource, resourcesOf, type VirtualKind } from './resource.ts'

/** A document ready to be sent. */
export interface DiscoveryDocument {
  readonly body: Buffer
  readonly contentType: string
  /** Quoted, as in the header. */
  readonly etag: string
}

/** Legacy is one document for each group version; v2 and v2beta1 hold everything under `/api` and `/apis`. */
export type DiscoveryForm = 'legacy' | 'v2' | 'v2beta1'

export interface Discovery {
  /**
   * The document of a path (`/api`, `/apis`, `/api/v1`, `/apis/GROUP`, `/apis/GROUP/VERSION`, no slash at the end), or undefined where
   * nothing is. Only `/api` and `/apis` have the aggregated forms; elsewhere `form` says nothing.
   */
  document(path: string, form: DiscoveryForm): DiscoveryDocument | undefined
}

/** The discovery documents of the served kinds; each is built once. */
export const createDiscovery = (kinds: readonly Kind[], virtual: readonly VirtualKind[] = []): Discovery => {
  const groups = groupsOf(resourcesOf(kinds, virtual))
  const core = groups.filter((group) => group.name === '')
  const named = groups.filter((group) => group.name !== '')
  const documents = new Map<string, DiscoveryDocument>([
    ['/api', legacy(apiVersions(core))],
    ['/apis', legacy(groupList(named))],
  ])
  for (const form of ['v2', 'v2beta1'] as const) {
    documents.set(`${form} /api`, aggregated(core, form))
    documents.set(`${form} /apis`, aggregated(named, form))
  }
  for (const version of core.flatMap((group) => group.versions)) {
    documents.set(`/api/${version.version}`, legacy(resourceList(version.version, version)))
  }
  for (const group of named) {
    documents.set(`/apis/${group.name}`, legacy({ kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) }))
    for (const version of group.versions) {
      const groupVersion = `${group.name}/${version.version}`
      documents.set(`/apis/${groupVersion}`, legacy(resourceList(groupVersion, version)))
    }
  }
  return { document: (path, form) => documents.get(`${form} ${path}`) ?? documents.get(path) }
}

const document = (value: unknown, contentType: string): DiscoveryDocument => {
  const body = Buffer.from(JSON.stringify(value))
  return { body, contentType, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }
}

const legacy = (value: unknown): DiscoveryDocument => document(value, 'application/json')

const apiVersions = (core: readonly Group[]): unknown => ({
  kind: 'APIVersions',
  versions: core.flatMap((group) => group.versions.map((version) => version.version)),
  // Clients reach the server at the address of their kubeconfig, whatever stands here.
  serverAddressByClientCIDRs: [],
})

const groupList = (groups: readonly Group[]): unknown => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groups.map(groupEntry),
})

const groupEntry = (group: Group) => {
  const versions = group.versions.map(({ version }) => ({ groupVersion: `${group.name}/${version}`, version }))
  return { name: group.name, versions, preferredVersion: versions[0] }
}

const resourceList = (groupVersion: string, version: GroupVersion): unknown => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion,
  resources: version.resources.map((resource) => ({
    name: resource.name,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    group: resource.kindGroup,
    version: resource.kindVersion,
    kind: resource.kind,
    verbs: resource.verbs,
    shortNames: unlessEmpty(resource.shortNames),
    categories: unlessEmpty(resource.categories),
  })),
})

const aggregated = (groups: readonly Group[], form: 'v2' | 'v2beta1'): DiscoveryDocument =>
  document(
    {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${form}`,
      metadata: {},
      items: groups.map((group) => ({
        metadata: group.name === '' ? {} : { name: group.name },
        versions: group.versions.map((version) => ({
          version: version.version,
          resources: aggregatedResources(version.resources),
          freshness: 'Current',
        })),
      })),
    },
    `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`,
  )

const aggregatedResources = (resources: readonly ApiResource[]): readonly unknown[] =>
  resources
    .filter((resource) => !resource.name.includes('/'))
    .map((resource) => ({
      resource: resource.name,
      responseKind: responseKind(resource),
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: resource.singular,
      verbs: resource.verbs,
      shortNames: unlessEmpty(resource.shortNames),
      categories: unlessEmpty(resource.categories),
      subresources: unlessEmpty(
        resources
          .filter((candidate) => candidate.name.startsWith(`${resource.name}/`))
          .map((candidate) => ({
            subresource: candidate.name.slice(resource.name.length + 1),
            responseKind: responseKind(candidate),
            verbs: candidate.verbs,
          })),
      ),
    }))

const responseKind = (resource: ApiResource) => ({
  group: resource.kindGroup ?? resource.group,
  version: resource.kindVersion ?? resource.version,
  kind: resource.kind,
})

const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list)
