import { describe, expect, it } from 'vitest'
import type { Canary } from '../table/index.ts'
import { compileCanaries } from './canary.ts'
import { request } from './testing/request.ts'

const canary = (rule: Partial<Canary>): Canary => ({ backend: 'canary', labels: { ingress: 'c' }, ...rule })
const always = 0
const never = 0.999

describe('a canary', () => {
  const byHeader = { header: { name: 'x-canary' } }
  it.each<[string, Partial<Canary>, Record<string, string>, number, boolean]>([
    ['no rule', {}, {}, always, false],
    ['header always', byHeader, { 'x-canary': 'always' }, never, true],
    ['header never, whatever the weight', { ...byHeader, weight: 100 }, { 'x-canary': 'never' }, always, false],
    ['another header value falls through to the weight', { ...byHeader, weight: 1 }, { 'x-canary': 'yes' }, always, true],
    ['another header value falls through to nothing', byHeader, { 'x-canary': 'yes' }, always, false],
    ['header before cookie', { ...byHeader, cookie: 'c' }, { 'x-canary': 'never', cookie: 'c=always' }, always, false],
    ['a header value', { header: { name: 'x-canary', value: 'beta' } }, { 'x-canary': 'beta' }, never, true],
    [
      'with a header value, always means nothing',
      { header: { name: 'x-canary', value: 'beta' } },
      { 'x-canary': 'always' },
      never,
      false,
    ],
    [
      'with a header value, never means nothing',
      { header: { name: 'x-canary', value: 'beta' }, weight: 1 },
      { 'x-canary': 'never' },
      always,
      true,
    ],
    ['a header pattern, anywhere', { header: { name: 'x-canary', pattern: 'b.ta' } }, { 'x-canary': 'my-beta-1' }, never, true],
    ['a value before a pattern', { header: { name: 'x-canary', value: 'a', pattern: 'b' } }, { 'x-canary': 'b' }, never, false],
    [
      'a pattern that does not match',
      { header: { name: 'x-canary', pattern: '^beta$' } },
      { 'x-canary': 'my-beta' },
      never,
      false,
    ],
    ['a pattern that is none', { header: { name: 'x-canary', pattern: '(' }, weight: 1 }, { 'x-canary': '(' }, always, true],
    ['cookie always', { cookie: 'c' }, { cookie: 'a=b; c=always' }, never, true],
    ['cookie never', { cookie: 'c', weight: 100 }, { cookie: 'c=never' }, always, false],
    ['another cookie value falls through', { cookie: 'c', weight: 1 }, { cookie: 'c=1' }, always, true],
    ['weight below', { weight: 30 }, {}, 0.2999, true],
    ['weight above', { weight: 30 }, {}, 0.3, false],
    ['weight of a total', { weight: 300, total: 1000 }, {}, 0.2999, true],
    ['all', { weight: 100 }, {}, never, true],
    ['none', { weight: 0 }, {}, always, false],
  ])('%s', (_title, rule, fields, random, isTaken) => {
    const taken = compileCanaries([canary(rule)], () => random)(request({ fields }))
    expect(taken?.backend).toBe(isTaken ? 'canary' : undefined)
  })

  it('the first that takes it, of several', () => {
    const choose = compileCanaries([canary({ ...byHeader, backend: 'a' }), canary({ cookie: 'c', backend: 'b' })], () => never)
    expect(choose(request({ fields: { 'x-canary': 'always', cookie: 'c=always' } }))?.backend).toBe('a')
    expect(choose(request({ fields: { 'x-canary': 'never', cookie: 'c=always' } }))?.backend).toBe('b')
    expect(choose(request())).toBeUndefined()
  })

  it('is not slowed by a pattern that backtracks elsewhere', () => {
    const choose = compileCanaries([canary({ header: { name: 'h', pattern: '^(a+)+$' } })], () => never)
    const started = performance.now()
    expect(choose(request({ fields: { h: `${'a'.repeat(5_000)}!` } }))).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})
