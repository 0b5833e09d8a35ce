import { createHash } from 'node:crypto'
import { deleteOptionsSchema, type Kind, scaleSchema, statusSchema } from '../../api/index.ts'
import { ComponentNames, Components, objectNode } from './components.ts'
import { kindPaths } from './operations.ts'

/** A document ready to be sent. */
export interface OpenApiDocument {
  readonly body: Buffer
  readonly contentType: string
  /** Quoted, as in the header. */
  readonly etag: string
}

export interface OpenApi {
  /**
   * The document of a path (`/openapi/v3`, `/openapi/v3/api/v1`, `/openapi/v3/apis/GROUP/VERSION`, without the query), or undefined where
   * nothing is. Built at the first request and kept.
   */
  document(path: string): OpenApiDocument | undefined
}

/** The OpenAPI v3 documents of the served kinds, one for each group version, and the index of them. */
export const createOpenApi = (kinds: readonly Kind[], kubernetesVersion: string): OpenApi => {
  const names = new ComponentNames(kinds)
  const byPath = new Map<string, Kind[]>()
  for (const kind of kinds) {
    const path = kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`
    byPath.set(path, [...(byPath.get(path) ?? []), kind])
  }
  const built = new Map<string, OpenApiDocument>()
  const once = (path: string, make: () => unknown): OpenApiDocument => {
    const document = built.get(path) ?? toDocument(make())
    built.set(path, document)
    return document
  }
  const groupDocument = (path: string, held: readonly Kind[]): OpenApiDocument =>
    once(path, () => groupVersionDocument(held, names, kubernetesVersion))
  return {
    document: (path) => {
      if (path === '/openapi/v3') return once('', () => indexDocument(byPath, groupDocument))
      if (!path.startsWith(prefix)) return undefined
      const held = byPath.get(path.slice(prefix.length))
      return held && groupDocument(path.slice(prefix.length), held)
    },
  }
}

const prefix = '/openapi/v3/'

const toDocument = (value: unknown): OpenApiDocument => {
  const body = Buffer.from(JSON.stringify(value))
  return { body, contentType: 'application/json', etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }
}

const indexDocument = (
  byPath: ReadonlyMap<string, readonly Kind[]>,
  documentOf: (path: string, kinds: readonly Kind[]) => OpenApiDocument,
): unknown => ({
  paths: Object.fromEntries(
    [...byPath].map(([path, kinds]) => {
      const hash = documentOf(path, kinds).etag.slice(1, -1)
      return [path, { serverRelativeURL: `${prefix}${path}?hash=${hash}` }]
    }),
  ),
})

const groupVersionDocument = (kinds: readonly Kind[], names: ComponentNames, version: string): unknown => {
  const components = new Components(names)
  const paths = kinds.map((kind) => {
    const node = objectNode(kind.schema.node)
    return kindPaths(kind, {
      object: components.refOf(node),
      list: components.listRefOf(kind, node),
      patch: components.patchRef(),
      status: components.refOf(statusSchema.node),
      deleteOptions: components.refOf(deleteOptionsSchema.node),
      scale: kind.subresources.has('scale') ? components.refOf(scaleSchema.node) : undefined,
    })
  })
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths: Object.assign({}, ...paths),
    components: { schemas: components.all() },
  }
}
