import { describe, expect, it } from 'vitest'
import { serviceKind } from '../api/index.ts'
import { service } from '../api/testing/index.ts'
import { align, document, names, table } from './output.ts'

const web = service('web').port(80, 'http').build()

describe('table', () => {
  const nowMs = Date.UTC(2026, 0, 1)
  it('shows the columns of kubectl', () => {
    const [header = '', row = ''] = table(serviceKind, [web], {
      isWide: false,
      withNamespace: false,
      withType: false,
      nowMs,
    }).split('\n')
    expect(header.split(/\s{2,}/)).toEqual(['NAME', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)', 'AGE'])
    expect(row).toMatch(/^web +ClusterIP /)
  })

  it('has the namespace first, and more columns when wide', () => {
    const [header = ''] = table(serviceKind, [web], { isWide: true, withNamespace: true, withType: false, nowMs }).split('\n')
    expect(header).toMatch(/^NAMESPACE .* SELECTOR$/)
  })

  it('has the type before the name among several types', () => {
    const [, row = ''] = table(serviceKind, [web], { isWide: false, withNamespace: false, withType: true, nowMs }).split('\n')
    expect(row).toMatch(/^service\/web +ClusterIP /)
  })
})

describe('align', () => {
  it('pads all cells but the last', () => {
    expect(
      align([
        ['a', 'b'],
        ['longer', 'c'],
      ]),
    ).toBe('a        b\nlonger   c')
  })
})

describe('document', () => {
  it('writes a named object as itself, and a list as a List whatever its length', () => {
    expect(JSON.parse(document([web], { format: 'json', isList: false }))).toMatchObject({ kind: 'Service' })
    expect(JSON.parse(document([web], { format: 'json', isList: true }))).toMatchObject({ kind: 'List', items: [{}] })
    expect(JSON.parse(document([web, web], { format: 'json', isList: false }))).toMatchObject({ kind: 'List', items: [{}, {}] })
    expect(JSON.parse(document([], { format: 'json', isList: true }))).toMatchObject({ kind: 'List', items: [] })
    expect(document([web], { format: 'yaml', isList: false })).toContain('kind: Service')
  })
})

describe('names', () => {
  it('has the type in front', () => {
    expect(names(serviceKind, [web])).toBe('service/web')
  })
})
