import { describe, expect, it } from 'vitest'
import type { IngressClass } from '../../api/index.ts'
import { ingress } from '../../api/testing/index.ts'
import { CLASS_ANNOTATION, CONTROLLER_NAME, selectClass } from './class.ts'

const ingressClass = (name: string, controller: string, isDefault = false): IngressClass => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name, ...(isDefault ? { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } } : {}) },
  spec: { controller },
})
const ours = ingressClass('fairway', CONTROLLER_NAME)
const foreign = ingressClass('nginx', 'k8s.io/ingress-nginx')
const config = { controllerName: CONTROLLER_NAME, watchedClasses: ['fairway', 'nginx'] }
const plain = ingress('web').build()
const annotated = (value: string) =>
  ingress('web')
    .annotations({ [CLASS_ANNOTATION]: value })
    .build()
const named = (name: string) => ingress('web').className(name).build()

describe('selectClass', () => {
  it.each([
    ['our class', named('fairway'), [ours], 'ClassName', true],
    ['a class that does not exist', named('fairway'), [], 'ClassNotFound', false],
    ['a foreign class', named('nginx'), [ours, foreign], 'ForeignClass', false],
    ['a watched annotation without a class', annotated('nginx'), [ours], 'Annotation', true],
    ['a watched annotation of a foreign class', annotated('nginx'), [ours, foreign], 'ForeignClass', false],
    ['an annotation of another name', annotated('traefik'), [ours], 'ForeignClass', false],
    ['an annotation that names a class of ours', annotated('edge'), [ingressClass('edge', CONTROLLER_NAME)], 'Annotation', true],
    [
      'a foreign class beside a watched annotation',
      ingress('web')
        .className('nginx')
        .annotations({ [CLASS_ANNOTATION]: 'fairway' })
        .build(),
      [ours, foreign],
      'ForeignClass',
      false,
    ],
    ['no class and no default', plain, [ours], 'NoClass', false],
    ['no class and our default', plain, [ingressClass('fairway', CONTROLLER_NAME, true)], 'DefaultClass', true],
    ['no class and a foreign default', plain, [ingressClass('nginx', 'k8s.io/ingress-nginx', true), ours], 'NoClass', false],
    [
      'no class and two defaults',
      plain,
      [ingressClass('a', CONTROLLER_NAME, true), ingressClass('b', CONTROLLER_NAME, true)],
      'NoClass',
      false,
    ],
  ] as const)('%s', (_, object, classes, because, isOurs) => {
    expect(selectClass(object, classes, config)).toMatchObject({ isOurs, because })
  })

  it.each([
    ['one that is named', named('fairway'), ['fairway'], true],
    ['another one of ours', named('fairway'), ['edge'], false],
    ['our default class, when it is not among them', plain, ['edge'], false],
    ['an annotation that names one', annotated('fairway'), ['fairway'], true],
  ] as const)('of some classes of the controller only: %s', (_, object, onlyClasses, isOurs) => {
    const classes = [ingressClass('fairway', CONTROLLER_NAME, true)]
    expect(selectClass(object, classes, { ...config, onlyClasses })).toMatchObject({ isOurs })
  })
})
