/** A rule of a Role, as far as tests need it. */
export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Rules for all namespaces, or for one. */
export interface Grant {
  readonly namespace?: string
  readonly rules: readonly Rule[]
}

/** What a request to an API server is, as its authorizer sees it. */
export interface Attributes {
  readonly verb: string
  readonly group: string
  /** `ingresses/status`. */
  readonly resource: string
  readonly namespace: string | undefined
  /** Of the path, or of the field selector `metadata.name=`. */
  readonly name: string | undefined
}

export const attributesOf = (method: string, { pathname, searchParams }: URL): Attributes => {
  const [, core, grouped, rest = ''] = /^\/(?:(api)\/[^/]+|apis\/([^/]+)\/[^/]+)\/(.*)$/.exec(pathname) ?? []
  const parts = rest.split('/')
  const namespace = parts[0] === 'namespaces' && parts.length > 2 ? parts.splice(0, 2)[1] : undefined
  const [resource = '', pathName, subresource] = parts
  const [, selected] = /^metadata\.name=([^,]+)$/.exec(searchParams.get('fieldSelector') ?? '') ?? []
  const reading = searchParams.get('watch') === 'true' ? 'watch' : pathName === undefined ? 'list' : 'get'
  const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }
  return {
    verb: verbs[method] ?? reading,
    group: core === undefined ? (grouped ?? '') : '',
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace,
    name: pathName ?? selected,
  }
}

/** The rule by which a request is allowed; undefined when none does. */
export const allowingRule = (grants: readonly Grant[], attributes: Attributes): Rule | undefined =>
  grants
    .filter(({ namespace }) => namespace === undefined || namespace === attributes.namespace)
    .flatMap(({ rules }) => rules)
    .find(
      ({ apiGroups, resources, resourceNames, verbs }) =>
        apiGroups.includes(attributes.group) &&
        resources.includes(attributes.resource) &&
        verbs.includes(attributes.verb) &&
        (resourceNames === undefined || (attributes.name !== undefined && resourceNames.includes(attributes.name))),
    )
