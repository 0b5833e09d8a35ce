import { describe, expect, it } from 'vitest'
import { kindsNamed, targetsNamed } from './resources.ts'

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
    ['deploy.apps', ['Deployment v1']],
    ['deployments.v1.apps', ['Deployment v1']],
    ['services.v1', ['Service v1']],
    ['ingresses.v1beta1.extensions', ['Ingress v1beta1']],
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

describe('targetsNamed', () => {
  const targets = (resource: string, ...names: readonly string[]) =>
    targetsNamed(resource, names).map((target) => [target.kind.kind, ...target.names].join(' '))

  it.each([
    ['a type alone', ['svc'], ['Service']],
    ['a type and names', ['svc', 'web', 'api'], ['Service web api']],
    ['types and a name', ['svc,ep', 'web'], ['Service web', 'Endpoints web']],
    ['pairs of different types', ['svc/web', 'ing/shop'], ['Service web', 'Ingress shop']],
  ])('%s', (_title, [resource = '', ...names], expected) => {
    expect(targets(resource, ...names)).toEqual(expected)
  })

  it.each([
    ['a pair without a name', ['svc/'], '"svc/"'],
    ['a pair without a type', ['/web'], '"/web"'],
    ['a pair and a name', ['svc/web', 'api'], '"api" is not TYPE/NAME'],
    ['three parts', ['svc/web/x'], '"svc/web/x"'],
  ])('refuses %s', (_title, [resource = '', ...names], message) => {
    expect(() => targets(resource, ...names)).toThrow(message)
  })
})
