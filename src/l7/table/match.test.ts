import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Matcher } from './match.ts'
import type { HostRoutes, PathRoute, Target } from './route-table.ts'

const target = (backend: string): Target => ({ backend, labels: {} })
const rule = (text: string): PathRoute => {
  const [match, path = ''] = text.split(' ')
  return { match: MATCHES[match as keyof typeof MATCHES], path, target: target(text) }
}
const MATCHES = { Exact: 'exact', Prefix: 'prefix', Regex: 'regex' } as const
const host = (...rules: readonly string[]): HostRoutes => ({ paths: rules.map(rule) })

const table = (hosts: Readonly<Record<string, HostRoutes>>): Matcher => {
  const matcher = new Matcher()
  for (const [pattern, routes] of Object.entries(hosts)) matcher.setHost(pattern, routes)
  return matcher
}

describe('paths (the Ingress API’s table)', () => {
  const DEFAULT = 'default'
  it.each<[readonly string[], string, string]>([
    [['Prefix /'], '/any/path', 'Prefix /'],
    [['Exact /foo'], '/foo', 'Exact /foo'],
    [['Exact /foo'], '/bar', DEFAULT],
    [['Exact /foo'], '/foo/', DEFAULT],
    [['Exact /foo/'], '/foo', DEFAULT],
    [['Prefix /foo'], '/foo', 'Prefix /foo'],
    [['Prefix /foo'], '/foo/', 'Prefix /foo'],
    [['Prefix /foo/'], '/foo', 'Prefix /foo/'],
    [['Prefix /foo/'], '/foo/', 'Prefix /foo/'],
    [['Prefix /aaa/bb'], '/aaa/bbb', DEFAULT],
    [['Prefix /aaa/bbb'], '/aaa/bbb', 'Prefix /aaa/bbb'],
    [['Prefix /aaa/bbb/'], '/aaa/bbb', 'Prefix /aaa/bbb/'],
    [['Prefix /aaa/bbb'], '/aaa/bbb/', 'Prefix /aaa/bbb'],
    [['Prefix /aaa/bbb'], '/aaa/bbb/ccc', 'Prefix /aaa/bbb'],
    [['Prefix /aaa/bbb'], '/aaa/bbbxyz', DEFAULT],
    [['Prefix /', 'Prefix /aaa'], '/aaa/ccc', 'Prefix /aaa'],
    [['Prefix /', 'Prefix /aaa', 'Prefix /aaa/bbb'], '/aaa/bbb', 'Prefix /aaa/bbb'],
    [['Prefix /', 'Prefix /aaa', 'Prefix /aaa/bbb'], '/ccc', 'Prefix /'],
    [['Prefix /aaa'], '/ccc', DEFAULT],
    [['Prefix /foo', 'Exact /foo'], '/foo', 'Exact /foo'],
    [['Prefix /foo', 'Prefix /foo/'], '/foo', 'Prefix /foo/'],
    [['Exact /foo', 'Prefix /foo'], '/foo/bar', 'Prefix /foo'],
    [['Exact /Foo'], '/foo', DEFAULT],
    [['Prefix /__proto__'], '/__proto__/x', 'Prefix /__proto__'],
  ])('%j take %s by %s', (rules, path, winner) => {
    const routes = { ...host(...rules), fallback: target(DEFAULT) }
    expect(table({ 'foo.bar.com': routes }).match('foo.bar.com', path)?.target.backend).toBe(winner)
  })
})

describe('hosts', () => {
  it.each<[readonly string[], string, string | undefined]>([
    [['foo.bar.com'], 'foo.bar.com', 'foo.bar.com'],
    [['*.foo.com'], 'bar.foo.com', '*.foo.com'],
    [['*.foo.com'], 'baz.bar.foo.com', undefined],
    [['*.foo.com'], 'foo.com', undefined],
    [[''], 'anything.example', ''],
    [[''], '', ''],
    [['foo.bar.com', '*.bar.com', ''], 'foo.bar.com', 'foo.bar.com'],
    [['*.bar.com', ''], 'foo.bar.com', '*.bar.com'],
    [['*.bar.com', ''], 'foo.baz.com', ''],
    [['*.com'], '.com', undefined],
  ])('%j: %s is taken by %s', (patterns, name, winner) => {
    const matcher = table(Object.fromEntries(patterns.map((pattern) => [pattern, host('Prefix /')])))
    expect(matcher.match(name, '/')?.pattern).toBe(winner)
  })

  it('a path that the chosen host lacks goes to the default backend, never to a less specific host', () => {
    const matcher = table({ 'a.b.c': host('Prefix /x'), '*.b.c': host('Prefix /'), '': host('Prefix /') })
    expect(matcher.match('a.b.c', '/y')).toBeUndefined()
    matcher.setFallback(target('fallback'))
    expect(matcher.match('a.b.c', '/y')?.target.backend).toBe('fallback')
  })

  it('the host’s own default backend comes before the table’s', () => {
    const matcher = table({ 'a.b': { paths: [], fallback: target('own') } })
    matcher.setFallback(target('fallback'))
    expect(matcher.match('a.b', '/')?.target.backend).toBe('own')
    expect(matcher.match('c.d', '/')?.target.backend).toBe('fallback')
  })
})

/** The rule as the API states it: matching rules, longest path first, then exact; an expression gives way only to an exact path and to longer ones. */
const naive = (rules: readonly PathRoute[], path: string): PathRoute | undefined => {
  const elements = (text: string): readonly string[] => text.split('/').filter((element) => element !== '')
  const matches = (candidate: PathRoute): boolean => {
    if (candidate.match === 'exact') return candidate.path === path
    if (candidate.match === 'regex') return new RegExp(`^(?:${candidate.path})`, 'i').test(path)
    return elements(candidate.path).every((element, i) => elements(path)[i] === element)
  }
  const rank = { exact: 0, regex: 1, prefix: 2 }
  const found = [...rules].filter(matches).sort((a, b) => b.path.length - a.path.length || rank[a.match] - rank[b.match])
  const plain = found.find(({ match }) => match !== 'regex')
  return plain?.match === 'exact' ? plain : found[0]
}

describe('an expression', () => {
  it.each<[string, string, readonly string[] | undefined]>([
    ['/api/(v[0-9]+)/(.*)', '/api/v2/items', ['/api/v2/items', 'v2', 'items']],
    ['/api/(v[0-9]+)/(.*)', '/API/V2/items', ['/API/V2/items', 'V2', 'items']],
    ['/foo(/|$)(.*)', '/foo', ['/foo', '', '']],
    ['/foo(/|$)(.*)', '/foo/bar', ['/foo/bar', '/', 'bar']],
    ['/foo(/|$)(.*)', '/foobar', undefined],
    ['/foo', '/foobar', ['/foo']],
    ['foo', '/foo', undefined],
    ['/a|/b', '/b', ['/b']],
  ])('%s on %s captures %j', (source, path, captures) => {
    expect(table({ h: host(`Regex ${source}`) }).match('h', path)?.captures).toEqual(captures)
  })

  it('takes time in proportion to the path, whatever it is', () => {
    const matcher = table({ h: host('Regex /(a*)*b') })
    const begun = performance.now()
    expect(matcher.match('h', `/${'a'.repeat(5_000)}`)).toBeUndefined()
    // A backtracking engine would not end before the universe does.
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
})

describe('against a naive model', () => {
  const element = fc.constantFrom('a', 'aa', 'b', 'constructor')
  const path = fc
    .tuple(fc.array(element, { maxLength: 4 }), fc.boolean())
    .map(([elements, slash]) => (elements.length === 0 ? '/' : `/${elements.join('/')}${slash ? '/' : ''}`))
  const expression = fc.constantFrom('/a', '/A(/|$)(.*)', '/a+/', '/[ab]/?', '/(a|b)(/.*)?', '.*', '/.*b$', '/aa/(.*)')
  const anyRule = fc.oneof(
    fc.tuple(fc.constantFrom('Exact', 'Prefix'), path).map(([type, text]) => `${type} ${text}`),
    expression.map((text) => `Regex ${text}`),
  )

  it('chooses the same rule', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyRule, { maxLength: 12 }), path, (texts, asked) => {
        const rules = texts.map(rule)
        expect(table({ h: { paths: rules } }).match('h', asked)?.route).toEqual(naive(rules, asked))
      }),
      { numRuns: 2_000 },
    )
  })
})
