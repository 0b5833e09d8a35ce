import { describe, expect, it } from 'vitest'
import { scaleOf, withScale } from '../autoscaling/scale/scale.ts'
import { decoded, deployment, problemsOf, replicaSet } from '../testing/index.ts'
import { deploymentKind } from './deployment/kind.ts'
import { replicaSetKind } from './replicaset/kind.ts'

type Raw = Readonly<Record<string, unknown>>
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'x' }] } }
const body = (kind: 'Deployment' | 'ReplicaSet', spec: Raw, more: Raw = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'web' } }, template, ...spec },
  ...more,
})
const rolling = (rollingUpdate: Raw): Raw => ({ strategy: { type: 'RollingUpdate', rollingUpdate } })
const share = 'spec.strategy.rollingUpdate'

describe('a Deployment', () => {
  it.each<[string, Raw, string[]]>([
    ['is fine', {}, []],
    ['may roll by numbers', rolling({ maxSurge: 1, maxUnavailable: 0 }), []],
    ['may stop everything first', { strategy: { type: 'Recreate' } }, []],
    ['needs a selector', { selector: undefined }, ['spec.selector: Required']],
    ['needs a selector that asks for something', { selector: {} }, ['spec.selector: Required']],
    [
      'makes the pods that it selects',
      { selector: { matchLabels: { app: 'other' } } },
      ['spec.template.metadata.labels: Invalid `selector` does not match template `labels`'],
    ],
    [
      'has a template of pods',
      { template: { ...template, spec: { containers: [{ name: 'main' }] } } },
      ['spec.template.spec.containers[0].image: Required'],
    ],
    [
      'has pods that run for ever',
      { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never', activeDeadlineSeconds: 5 } } },
      [
        'spec.template.spec.restartPolicy: NotSupported supported values: "Always"',
        'spec.template.spec.activeDeadlineSeconds: Forbidden activeDeadlineSeconds in Deployment is not Supported',
      ],
    ],
    ['has no fewer than no replicas', { replicas: -1 }, ['spec.replicas: Invalid must be greater than or equal to 0']],
    [
      'has a known strategy',
      { strategy: { type: 'Hope' } },
      ['spec.strategy.type: NotSupported supported values: "Recreate", "RollingUpdate"'],
    ],
    [
      'does not roll while it recreates',
      { strategy: { type: 'Recreate', rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'moves while it rolls',
      rolling({ maxSurge: '0%', maxUnavailable: 0 }),
      [`${share}.maxUnavailable: Invalid may not be 0 when \`maxSurge\` is 0`],
    ],
    [
      'rolls by shares',
      rolling({ maxSurge: 'some', maxUnavailable: '101%' }),
      [
        `${share}.maxSurge: Invalid a valid percent string must be a numeric string followed by an ending '%'`,
        `${share}.maxUnavailable: Invalid must not be greater than 100%`,
      ],
    ],
    [
      'waits longer for progress than for readiness',
      { minReadySeconds: 600 },
      ['spec.progressDeadlineSeconds: Invalid must be greater than minReadySeconds'],
    ],
  ])('%s', (_, spec, expected) => {
    expect(problemsOf(deploymentKind, body('Deployment', spec))).toEqual(expected)
  })

  it('keeps its selector', () => {
    const labels = { app: 'web', tier: 'front' }
    const changed = body('Deployment', { selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } })
    expect(problemsOf(deploymentKind, changed, body('Deployment', {}))).toEqual(['spec.selector: Invalid field is immutable'])
  })

  it('rolls by a quarter by default', () => {
    expect(decoded(deploymentKind, body('Deployment', {})).spec).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: { spec: { restartPolicy: 'Always' } },
    })
  })

  it('may have no replicas at all', () => {
    expect(decoded(deploymentKind, body('Deployment', { replicas: 0 })).spec.replicas).toBe(0)
  })
})

describe('a ReplicaSet', () => {
  it.each<[string, Raw, string[]]>([
    ['is fine', {}, []],
    ['needs a template', { template: undefined }, ['spec.template: Required']],
    ['has no fewer than no replicas', { replicas: -1 }, ['spec.replicas: Invalid must be greater than or equal to 0']],
  ])('%s', (_, spec, expected) => {
    expect(problemsOf(replicaSetKind, body('ReplicaSet', spec))).toEqual(expected)
  })

  it('has a status that adds up', () => {
    const status = { replicas: 1, readyReplicas: 2, availableReplicas: 3 }
    expect(problemsOf(replicaSetKind, body('ReplicaSet', {}, { status }))).toEqual([
      'status.readyReplicas: Invalid cannot be greater than status.replicas',
      'status.availableReplicas: Invalid cannot be greater than status.replicas',
      'status.availableReplicas: Invalid cannot be greater than readyReplicas',
    ])
  })
})

describe('the scale', () => {
  it('shows how many there are, how many there shall be, and how they are found', () => {
    const object = deployment('web')
      .replicas(3)
      .with((each) => ({ ...each, status: { replicas: 2 } }))
      .build()
    expect(scaleOf(object)).toMatchObject({
      kind: 'Scale',
      metadata: { name: 'web', resourceVersion: '1' },
      spec: { replicas: 3 },
      status: { replicas: 2, selector: 'app=web' },
    })
  })

  it('changes how many there shall be, to none too', () => {
    const object = replicaSet('web').replicas(3).build()
    const scaled = withScale(object, { ...scaleOf(object), spec: { replicas: 0 } })
    expect(scaled).toEqual({ ...object, spec: { ...object.spec, replicas: 0 } })
  })
})
