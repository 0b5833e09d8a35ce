import { describe, expect, it } from 'vitest'
import { kindsNamed } from './resources.ts'

const named = (text: string): readonly string[] => kindsNamed(text).map((kind) => `${kind.kind} ${kind.version}`)

describe('kindsNamed', () => {
  it.each([
    ['svc', ['Service v1']],
    ['services', ['Service v1']],
    ['Service', ['Service v1']],
    ['ing', ['Ingress v1']],
    ['ingresses.networking.k8s.io', ['Ingress v1']],
    ['ep,endpointslices', ['Endpoints v1', 'EndpointSlice v1']],
    ['svc,services', ['Service v1']],
  ])('%s', (text, expected) => {
    expect(named(text)).toEqual(expected)
  })

  it('takes a category for all of its kinds', () => {
    expect(named('all')).toEqual(expect.arrayContaining(['Pod v1', 'Service v1', 'Deployment v1', 'ReplicaSet v1']))
  })

  it('names the word that means nothing', () => {
    expect(() => kindsNamed('svc,frogs')).toThrow(`the server doesn't have a resource type "frogs"`)
  })
})
