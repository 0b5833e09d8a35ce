import { describe, expect, it } from 'vitest'
import { generateNameErrors, nameErrors } from './name-rule.ts'
import {
  configKeyErrors,
  dns1035LabelErrors,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  envVarNameErrors,
  fullyQualifiedDomainNameErrors,
  labelValueErrors,
  portNameErrors,
  qualifiedNameErrors,
  wildcardSubdomainErrors,
} from './names.ts'

const a = (count: number): string => 'a'.repeat(count)

type Check = (value: string) => readonly string[]

describe.each<[string, Check, readonly string[], readonly string[]]>([
  ['DNS-1123 label', dns1123LabelErrors, ['a', '0', 'a-b', a(63)], ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'ä', a(64), 'a\n', ' a']],
  [
    'DNS-1123 subdomain',
    dns1123SubdomainErrors,
    ['a', 'a.b', '0.1', a(253)],
    ['', 'a..b', '.a', 'a.', 'a.-b', 'A.b', '*.a', a(254)],
  ],
  ['DNS-1035 label', dns1035LabelErrors, ['a', 'a0', 'a-0', a(63)], ['', '0a', 'a-', 'A', 'a.b', a(64)]],
  ['wildcard subdomain', wildcardSubdomainErrors, ['*.a', '*.a.b'], ['*', 'a.*', '*.*.a', '*a.b', '*.', '*.a.']],
  [
    'fully qualified domain name',
    fullyQualifiedDomainNameErrors,
    ['a.b', 'a.b.c.', '1.2.3.4'],
    ['a', 'a.', '', '.', `${a(64)}.b`, 'A.b'],
  ],
  [
    'qualified name',
    qualifiedNameErrors,
    ['a', 'A_b.c-d', 'example.com/x', `${a(253)}/${a(63)}`],
    ['', '/', 'a/', '/a', 'a/b/c', '-a', 'A/b', a(64), 'a b'],
  ],
  ['label value', labelValueErrors, ['', 'a', 'A_b.c-1', a(63)], ['-', 'a-', 'a b', 'a/b', a(64)]],
  ['port name', portNameErrors, ['http', 'a1', '1a', a(15)], ['', 'A', '1', 'a--b', '-a', 'a-', a(16), 'a_b']],
  ['config key', configKeyErrors, ['a', 'A.b_c-d', '.a', a(253)], ['', '.', '..', '..a', 'a/b', 'a b', a(254)]],
  ['environment variable', envVarNameErrors, ['A', 'a.b', '1', '-', 'a b'], ['', 'a=b', 'ä', 'a\n']],
])('%s', (_, check, good, bad) => {
  it.each(good)('accepts %j', (value) => expect(check(value)).toEqual([]))
  it.each(bad)('refuses %j', (value) => expect(check(value).length).toBeGreaterThan(0))
  it('answers a megabyte in no time', () => {
    const before = performance.now()
    for (const text of [a(1_000_000), '.'.repeat(1_000_000), 'a.'.repeat(500_000), 'a-'.repeat(500_000), '/'.repeat(1_000_000)])
      check(text)
    expect(performance.now() - before).toBeLessThan(500)
  })
})

describe('the words', () => {
  it('are those of Kubernetes', () => {
    expect(dns1035LabelErrors('0')).toEqual([
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ])
    expect(dns1123SubdomainErrors('_')[0]).toContain(
      "(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
    expect(qualifiedNameErrors('')[0]).toBe('name part must be non-empty')
  })
})

describe('names of objects', () => {
  it.each(['.', '..', 'a/b', 'a%b'])('never are %j', (name) => {
    expect(nameErrors('pathSegment', name)).not.toEqual([])
  })

  it.each(['10.0.0.1', '2001:db8::1'])('may be the address %s', (name) => {
    expect(nameErrors('ipAddress', name)).toEqual([])
  })

  it.each([
    ['010.0.0.1', 'must be in canonical form ("10.0.0.1")'],
    ['2001:DB8::1', 'must be in canonical form ("2001:db8::1")'],
    ['web', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ])('may not be the address %s', (name, message) => {
    expect(nameErrors('ipAddress', name)).toEqual([message])
  })

  it('that are still to be generated may end in a dash', () => {
    expect(generateNameErrors('dns1123Label', 'web-')).toEqual([])
    expect(generateNameErrors('dns1123Label', '-')).not.toEqual([])
    expect(generateNameErrors('dns1123Label', 'Web-')).not.toEqual([])
  })
})
