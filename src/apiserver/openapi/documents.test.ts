import { describe, expect, it } from 'vitest'
import { apiVersionOf, deploymentKind, type Kind, scheme, serviceKind } from '../../api/index.ts'
import {
  embed,
  int32,
  intOrString,
  lazy,
  list,
  map,
  object,
  optional,
  quantity,
  required,
  type Schema,
  string,
} from '../../schema/index.ts'
import { createOpenApi } from './documents.ts'

const openApi = createOpenApi(scheme, 'v1.35.0')

// biome-ignore lint/suspicious/noExplicitAny: documents are asserted as a client sees them
const json = (path: string, from = openApi): any => {
  const document = from.document(path)
  return document && JSON.parse(document.body.toString())
}

const pathOf = (kind: Kind): string => `${kind.group === '' ? 'api' : 'apis'}/${apiVersionOf(kind)}`
const paths = [...new Set(scheme.map(pathOf))]

describe('the index', () => {
  it('names every group version with its hash', () => {
    const index = json('/openapi/v3').paths
    expect(Object.keys(index).sort()).toEqual([...paths].sort())
    expect(index['api/v1'].serverRelativeURL).toMatch(/^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{128}$/)
  })

  it('changes its hash only for the group version whose kinds changed', () => {
    const other = createOpenApi([serviceKind, { ...deploymentKind, plural: 'changed' }], 'v1.35.0')
    const same = createOpenApi([serviceKind, deploymentKind], 'v1.35.0')
    const url = (from: typeof openApi, path: string) => json('/openapi/v3', from).paths[path].serverRelativeURL
    expect(url(other, 'api/v1')).toBe(url(same, 'api/v1'))
    expect(url(other, 'apis/apps/v1')).not.toBe(url(same, 'apis/apps/v1'))
  })

  it.each(['/openapi/v1', '/openapi/v3/', '/openapi/v3/api/v2', '/openapi/v3/apis/apps', '/openapi/v3/__proto__', '/'])(
    '%s is nothing',
    (path) => expect(openApi.document(path)).toBeUndefined(),
  )
})

describe.each(paths)('the document of %s', (path) => {
  const document = json(`/openapi/v3/${path}`)

  it('holds every schema that it refers to', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!)
    expect(refs.length).toBeGreaterThan(0)
    for (const ref of refs) expect(document.components.schemas).toHaveProperty([ref])
  })

  it('has a schema with its group, version and kind for every kind and its list', () => {
    const found = Object.values<Record<string, never>>(document.components.schemas).flatMap(
      (schema) => schema['x-kubernetes-group-version-kind'] ?? [],
    )
    for (const kind of scheme.filter((each) => pathOf(each) === path)) {
      const gvk = { group: kind.group, version: kind.version }
      expect(found).toContainEqual({ ...gvk, kind: kind.kind })
      expect(found).toContainEqual({ ...gvk, kind: `${kind.kind}List` })
    }
  })

  it('has an operation id only once', () => {
    const ids = [...JSON.stringify(document).matchAll(/"operationId":"([^"]+)"/g)].map((match) => match[1])
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has what kubectl looks for on every writing operation', () => {
    for (const item of Object.values<Record<string, Record<string, unknown>>>(document.paths)) {
      for (const method of ['post', 'put', 'patch']) {
        const operation = item[method]
        if (operation === undefined) continue
        const names = (operation['parameters'] as readonly { name: string }[]).map((parameter) => parameter.name)
        expect(names).toEqual(expect.arrayContaining(['dryRun', 'fieldManager', 'fieldValidation']))
        expect(operation['x-kubernetes-group-version-kind']).toMatchObject({ kind: expect.any(String) })
        expect(operation['x-kubernetes-action']).toBe(method)
      }
    }
  })
})

describe('paths', () => {
  const { paths: core } = json('/openapi/v3/api/v1')
  const { paths: apps } = json('/openapi/v3/apis/apps/v1')

  it('are those of Kubernetes', () => {
    expect(Object.keys(core)).toEqual(
      expect.arrayContaining([
        '/api/v1/namespaces/{namespace}/services',
        '/api/v1/namespaces/{namespace}/services/{name}',
        '/api/v1/namespaces/{namespace}/services/{name}/status',
        '/api/v1/services',
        '/api/v1/nodes',
        '/api/v1/nodes/{name}',
      ]),
    )
    expect(core).not.toHaveProperty(['/api/v1/namespaces/{namespace}/nodes'])
    expect(core['/api/v1/namespaces/{namespace}/services'].get).toMatchObject({
      operationId: 'listCoreV1NamespacedService',
      'x-kubernetes-action': 'list',
    })
  })

  it('give the scale subresource its own kind', () => {
    expect(apps['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale'].get).toMatchObject({
      'x-kubernetes-group-version-kind': { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      responses: {
        200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/io.k8s.api.autoscaling.v1.Scale' } } } },
      },
    })
  })
})

describe('schemas', () => {
  it('have the names of Kubernetes, whichever group refers to them', () => {
    const { schemas } = json('/openapi/v3/apis/apps/v1').components
    expect(Object.keys(schemas)).toEqual(
      expect.arrayContaining([
        'io.k8s.api.apps.v1.Deployment',
        'io.k8s.api.core.v1.PodSpec',
        'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
        'io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector',
      ]),
    )
  })

  it('say types, keys, descriptions and what is required', () => {
    type Tree = { readonly children?: readonly Tree[] }
    const tree: Schema<Tree> = object('Tree', { children: optional(1, list(lazy<Tree>('Tree', () => tree))) })
    const part = object(
      'Part',
      { name: required(1, string()), size: optional(2, int32(), 'How large.') },
      { patch: 'retainKeys', doc: 'A part.' },
    )
    const schema = embed(
      object('Thing', {
        metadata: optional(1, object('ObjectMeta', {})),
        parts: optional(2, list(part, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' }), 'Its parts.'),
        part: optional(3, part, 'One.'),
        bare: optional(4, object('Bare', { x: optional(1, string()) }, { atomic: true, open: true })),
        limits: optional(5, map(quantity())),
        port: optional(6, intOrString()),
        tree: optional(7, tree),
      }),
      8,
      object('Inner', { inlined: optional(1, string()) }),
    )
    const kind = { ...serviceKind, group: 'x.example', version: 'v1', kind: 'Thing', plural: 'things', schema } as unknown as Kind
    const { schemas } = json('/openapi/v3/apis/x.example/v1', createOpenApi([kind], 'v1.35.0')).components
    expect(schemas['io.k8s.api.x.v1.Thing'].properties).toMatchObject({
      parts: {
        description: 'Its parts.',
        type: 'array',
        items: { $ref: '#/components/schemas/io.k8s.api.x.v1.Part' },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        'x-kubernetes-patch-merge-key': 'name',
        'x-kubernetes-patch-strategy': 'merge,retainKeys',
      },
      part: {
        description: 'One.',
        allOf: [{ $ref: '#/components/schemas/io.k8s.api.x.v1.Part' }],
        'x-kubernetes-patch-strategy': 'retainKeys',
      },
      bare: { $ref: '#/components/schemas/io.k8s.api.x.v1.Bare' },
      limits: {
        type: 'object',
        additionalProperties: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity' },
      },
      port: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString' },
      inlined: { type: 'string' },
    })
    expect(schemas['io.k8s.api.x.v1.Part']).toMatchObject({
      description: 'A part.',
      required: ['name'],
      properties: { size: { type: 'integer', format: 'int32', description: 'How large.' } },
    })
    expect(schemas['io.k8s.api.x.v1.Bare']).toMatchObject({
      'x-kubernetes-map-type': 'atomic',
      'x-kubernetes-preserve-unknown-fields': true,
    })
    expect(schemas['io.k8s.api.x.v1.Tree'].properties.children.items).toEqual({
      $ref: '#/components/schemas/io.k8s.api.x.v1.Tree',
    })
  })
})

it('builds a document once', () => {
  expect(openApi.document('/openapi/v3/api/v1')).toBe(openApi.document('/openapi/v3/api/v1'))
})
