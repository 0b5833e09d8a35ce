import { describe, expect, it } from 'vitest'
import { type NodePortRange, nodePortAddresses } from './index.ts'

const machine = ['127.0.0.1', '::1', '192.0.2.1', '192.0.2.2', '198.51.100.1', 'fd00::1', 'fe80::1']
const primary = ['192.0.2.1', 'fd00::1']

describe('nodePortAddresses', () => {
  it.each<[string, readonly NodePortRange[], readonly string[]]>([
    ['primary', [{ kind: 'primary' }], ['192.0.2.1', 'fd00::1']],
    ['localhost', [{ kind: 'localhost' }], ['127.0.0.1', '::1']],
    ['all', [{ kind: 'all' }], ['192.0.2.1', '192.0.2.2', '198.51.100.1', 'fd00::1']],
    ['a range', [{ kind: 'range', cidr: '192.0.2.0/24' }], ['192.0.2.1', '192.0.2.2']],
    ['everything as a range', [{ kind: 'range', cidr: '0.0.0.0/0' }], ['127.0.0.1', '192.0.2.1', '192.0.2.2', '198.51.100.1']],
    ['a range that nobody is in', [{ kind: 'range', cidr: '203.0.113.0/24' }], []],
    ['one address that no interface has yet', [{ kind: 'range', cidr: '203.0.113.7/32' }], ['203.0.113.7']],
    [
      'several that overlap',
      [{ kind: 'primary' }, { kind: 'range', cidr: '192.0.2.0/24' }, { kind: 'localhost' }],
      ['127.0.0.1', '192.0.2.1', '192.0.2.2', '::1', 'fd00::1'],
    ],
    ['none', [], []],
  ])('%s', (_title, ranges, expected) => {
    expect(nodePortAddresses(ranges, { machine, primary })).toEqual(expected)
  })
})
