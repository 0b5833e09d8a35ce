import { describe, expect, it } from 'vitest'
import { serviceKind } from './kind.ts'
import type { Service } from './schema.ts'

describe('smoke', () => {
  it('finds nothing wrong with a plain Service', () => {
    const web = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { ports: [{ port: 80 }] },
    } as unknown as Service
    expect(serviceKind.validate(serviceKind.setDefaults(web))).toEqual([])
  })
})
