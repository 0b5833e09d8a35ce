import { createHash } from 'node:crypto'
import { deleteOptionsSchema, type Kind, scaleSchema, statusSchema } from '../../api/index.ts'
import { ComponentNames, Components, objectNode } from './components.ts'
import { gnosticDocument, type V3Document } from './gnostic.ts'
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
   * The document of a path (`/openapi/v2`, always as protobuf; `/openapi/v3`, `/openapi/v3/api/v1`, `/openapi/v3/apis/GROUP/VERSION`, without the query), or undefined where
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
  const once = (path: string, make: () => OpenApiDocument): OpenApiDocument => {
    const document = built.get(path) ?? make()
    built.set(path, document)
    return document
  }
  const groupDocument = (path: string, held: readonly Kind[]): OpenApiDocument =>
    once(path, () => jsonDocument(groupVersionDocument(held, names, kubernetesVersion)))
  return {
    document: (path) => {
      if (path === '/openapi/v2') return once(path, () => v2Document(kinds, names, kubernetesVersion))
      if (path === '/openapi/v3') return once(path, () => jsonDocument(indexDocument(byPath, groupDocument)))
      if (!path.startsWith(prefix)) return undefined
      const held = byPath.get(path.slice(prefix.length))
      return held && groupDocument(path.slice(prefix.length), held)
    },
  }
}

const prefix = '/openapi/v3/'

const toDocument = (body: Buffer, contentType: string): OpenApiDocument => ({
  body,
  contentType,
  etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`,
})

const jsonDocument = (value: unknown): OpenApiDocument => toDocument(Buffer.from(JSON.stringify(value)), 'application/json')

const v2Document = (kinds: readonly Kind[], names: ComponentNames, version: string): OpenApiDocument =>
  toDocument(
    gnosticDocument(pathsAndSchemas(kinds, names), version),
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  )

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
  const { paths, schemas } = pathsAndSchemas(kinds, names)
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version }, paths, components: { schemas } }
}

const pathsAndSchemas = (kinds: readonly Kind[], names: ComponentNames): V3Document => {
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
  return { paths: Object.assign({}, ...paths), schemas: components.all() }
}
