import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Node } from '../../../schema/index.ts'
import { tkeServiceConfigKind as kind } from './kind.ts'

const file = new URL('../../../../deploy/tkeserviceconfig-crd.yaml', import.meta.url)

/** As a CustomResourceDefinition writes it: without references. */
const schemaOf = (node: Node): object => {
  switch (node.kind) {
    case 'object': {
      const properties = Object.fromEntries(
        Object.entries(node.fields).map(([name, field]) => [
          name,
          { ...schemaOf(field.node), ...(field.doc && { description: field.doc }) },
        ]),
      )
      return { type: 'object', properties }
    }
    case 'list':
      return { type: 'array', items: schemaOf(node.items) }
    case 'integer':
      return { type: 'integer', format: `int${node.bits}` }
    case 'string':
      return { type: 'string', ...(node.values && { enum: node.values }) }
    case 'boolean':
      return { type: 'boolean' }
    default:
      throw new Error(`no ${node.kind} in this kind`)
  }
}

it('the CustomResourceDefinition in deploy/ is what our own API server serves', () => {
  const root = kind.schema.node
  if (root.kind !== 'object') throw new Error('a kind is an object')
  const spec = root.fields['spec']
  if (spec === undefined) throw new Error('no spec')
  expect(parse(readFileSync(file, 'utf8'))).toEqual({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: 'Namespaced',
      names: { kind: kind.kind, listKind: `${kind.kind}List`, plural: kind.plural, singular: kind.singular },
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: schemaOf(spec.node) } } },
        },
      ],
    },
  })
})
