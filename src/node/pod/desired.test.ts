import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Container, Pod } from '../../api/index.ts'
import { pod } from '../../api/testing/index.ts'
import { restartDelay, retryDelay } from './backoff.ts'
import { desiredActions } from './desired.ts'
import { desiredStatus } from './desired-status.ts'
import type { ContainerSnapshot, PodSnapshot, Termination } from './snapshot.ts'

const NOW = Date.UTC(2026, 0, 2)
const SIDECAR = { restartPolicy: 'Always' }

const state = (change: Partial<ContainerSnapshot>): ContainerSnapshot => ({
  phase: { kind: 'waiting', reason: 'ContainerCreating' },
  restartCount: 0,
  started: false,
  ready: false,
  imageID: 'fairway/echo',
  ...change,
})
const end = (exitCode: number): Termination => ({
  exitCode,
  reason: exitCode === 0 ? 'Completed' : 'Error',
  startedAtMs: NOW - 5000,
  finishedAtMs: NOW,
  containerID: 'c',
})
const waiting = state({})
const running = state({
  phase: { kind: 'running', startedAtMs: NOW, containerID: 'c', stopping: false },
  started: true,
  ready: true,
})
const unready = { ...running, ready: false }
const ended = (exitCode: number, backoffMs = 0): ContainerSnapshot =>
  state({ phase: { kind: 'terminated', end: end(exitCode), backoffMs } })

interface Given {
  readonly spec?: Partial<Pod['spec']>
  readonly init?: readonly (readonly [string, ContainerSnapshot, Partial<Container>?])[]
  readonly main?: readonly (readonly [string, ContainerSnapshot])[]
  readonly snapshot?: Partial<PodSnapshot>
  readonly deleting?: number
}

const snapshot = ({ spec = {}, init = [], main = [['main', waiting]], snapshot: change = {}, deleting }: Given): PodSnapshot => {
  const base = pod('p')
    .node('n')
    .spec({ restartPolicy: 'Always', ...spec })
    .build()
  const object: Pod = {
    ...base,
    metadata: {
      ...base.metadata,
      ...(deleting === undefined ? {} : { deletionTimestamp: new Date(NOW).toISOString(), deletionGracePeriodSeconds: deleting }),
    },
    spec: {
      ...base.spec,
      ...(init.length > 0 ? { initContainers: init.map(([name, , more]) => ({ name, image: 'i', ...more })) } : {}),
      containers: main.map(([name]) => ({ name, image: 'i' })),
    },
  }
  return {
    pod: object,
    nowMs: NOW,
    address: '10.1.1.1',
    hostAddress: '10.1.1.254',
    containers: new Map([...init.map(([name, its]): [string, ContainerSnapshot] => [name, its]), ...main]),
    startedAtMs: NOW - 60_000,
    ...change,
  }
}

const brief = (given: Given): readonly string[] => {
  const { actions, wakeAtMs, over } = desiredActions(snapshot(given))
  const words = actions.map((action) =>
    action.kind === 'stop' ? `stop ${action.container} in ${(action.deadlineMs - NOW) / 1000}s` : `start ${action.container}`,
  )
  return [...words, ...(wakeAtMs === undefined ? [] : [`wake in ${(wakeAtMs - NOW) / 1000}s`]), ...(over ? ['over'] : [])]
}

describe('desiredActions', () => {
  it.each<[string, Given, readonly string[]]>([
    [
      'starts all containers at once',
      {
        main: [
          ['a', waiting],
          ['b', waiting],
        ],
      },
      ['start a', 'start b'],
    ],
    ['leaves what runs', { main: [['a', running]] }, []],
    ['restarts what ended, at once the first time', { main: [['a', ended(1)]] }, ['start a']],
    ['restarts after the back-off', { main: [['a', ended(1, 20_000)]] }, ['wake in 20s']],
    ['restarts a success too under Always', { main: [['a', ended(0)]] }, ['start a']],
    [
      'leaves a success under OnFailure',
      {
        spec: { restartPolicy: 'OnFailure' },
        main: [
          ['a', ended(0)],
          ['b', running],
        ],
      },
      [],
    ],
    ['is over when all ended for good', { spec: { restartPolicy: 'OnFailure' }, main: [['a', ended(0)]] }, ['over']],
    ['never restarts under Never', { spec: { restartPolicy: 'Never' }, main: [['a', ended(1)]] }, ['over']],
    [
      'runs init containers one by one',
      {
        init: [
          ['i', ended(0)],
          ['j', waiting],
          ['k', waiting],
        ],
      },
      ['start j'],
    ],
    ['waits for a running init container', { init: [['i', running]] }, []],
    ['tries a failed init container again', { init: [['i', ended(1, 10_000)]] }, ['wake in 10s']],
    [
      'gives up after a failed init container under Never',
      { spec: { restartPolicy: 'Never' }, init: [['i', ended(1)]] },
      ['over'],
    ],
    ['starts a sidecar and waits until it started', { init: [['s', { ...running, started: false }, SIDECAR]] }, []],
    ['goes on beside a started sidecar', { init: [['s', running, SIDECAR]] }, ['start main']],
    [
      'ends sidecars with what they served',
      { spec: { restartPolicy: 'Never' }, init: [['s', running, SIDECAR]], main: [['a', ended(0)]] },
      ['stop s in 30s'],
    ],
    [
      'stops an unhealthy container with its grace',
      { main: [['a', { ...running, stopWanted: { graceSeconds: 5 } }]] },
      ['stop a in 5s'],
    ],
    [
      'stops an unhealthy container with the pod’s grace',
      { spec: { terminationGracePeriodSeconds: 7 }, main: [['a', { ...running, stopWanted: { graceSeconds: undefined } }]] },
      ['stop a in 7s'],
    ],
    [
      'stops a deleted pod',
      {
        deleting: 12,
        main: [
          ['a', running],
          ['b', waiting],
        ],
      },
      ['stop a in 12s'],
    ],
    [
      'counts the grace from when the deletion was seen',
      { deleting: 12, main: [['a', running]], snapshot: { deletingSinceMs: NOW - 4000 } },
      ['stop a in 8s'],
    ],
    [
      'stops sidecars after the others',
      { deleting: 12, init: [['s', running, SIDECAR]], main: [['a', running]] },
      ['stop a in 12s', 'wake in 12s'],
    ],
    ['starts nothing in a deleted pod', { deleting: 12 }, ['over']],
    ['ends at the active deadline', { spec: { activeDeadlineSeconds: 60 }, main: [['a', running]] }, ['stop a in 30s']],
    ['wakes at the active deadline', { spec: { activeDeadlineSeconds: 90 }, main: [['a', running]] }, ['wake in 30s']],
    [
      'starts nothing while the pod can’t be set up',
      { snapshot: { obstacle: { reason: 'x', message: 'y', retryAtMs: NOW + 3000 } } },
      ['wake in 3s'],
    ],
  ])('%s', (_title, given, expected) => {
    expect(brief(given)).toEqual(expected)
  })

  it('never starts anything in a pod that is being deleted, and never starts what runs', () => {
    const anyState = fc.constantFrom(waiting, running, unready, ended(0), ended(1), ended(1, 10_000))
    fc.assert(
      fc.property(
        fc.array(anyState, { minLength: 1, maxLength: 4 }),
        fc.array(anyState, { maxLength: 3 }),
        fc.boolean(),
        (main, init, deleting) => {
          const given = {
            main: main.map((its, index): [string, ContainerSnapshot] => [`m${index}`, its]),
            init: init.map((its, index): [string, ContainerSnapshot, Partial<Container>?] => [
              `i${index}`,
              its,
              index % 2 ? SIDECAR : {},
            ]),
            ...(deleting ? { deleting: 30 } : {}),
          }
          const shot = snapshot(given)
          const { actions, over } = desiredActions(shot)
          for (const action of actions) {
            const runs = shot.containers.get(action.container)?.phase.kind === 'running'
            expect(runs).toBe(action.kind === 'stop')
            if (deleting) expect(action.kind).toBe('stop')
          }
          if (over) expect([...shot.containers.values()].every(({ phase }) => phase.kind !== 'running')).toBe(true)
        },
      ),
    )
  })
})

describe('desiredStatus', () => {
  const of = (given: Given) => {
    const status = desiredStatus(snapshot(given))
    const condition = (type: string) => status.conditions?.find((each) => each.type === type)
    return { status, condition, ready: condition('Ready')?.status, reason: condition('Ready')?.reason }
  }

  it.each<[string, Given, string, string]>([
    ['nothing started', {}, 'Pending', 'False'],
    [
      'one of two started',
      {
        main: [
          ['a', running],
          ['b', waiting],
        ],
      },
      'Pending',
      'False',
    ],
    [
      'all run and are ready',
      {
        main: [
          ['a', running],
          ['b', running],
        ],
      },
      'Running',
      'True',
    ],
    [
      'one is unready',
      {
        main: [
          ['a', running],
          ['b', unready],
        ],
      },
      'Running',
      'False',
    ],
    ['one waits for its restart', { main: [['a', ended(1, 10_000)]] }, 'Running', 'False'],
    ['all succeeded for good', { spec: { restartPolicy: 'OnFailure' }, main: [['a', ended(0)]] }, 'Succeeded', 'False'],
    [
      'one failed for good',
      {
        spec: { restartPolicy: 'Never' },
        main: [
          ['a', ended(0)],
          ['b', ended(1)],
        ],
      },
      'Failed',
      'False',
    ],
    ['init goes on', { init: [['i', running]] }, 'Pending', 'False'],
    ['init failed for good', { spec: { restartPolicy: 'Never' }, init: [['i', ended(1)]] }, 'Failed', 'False'],
  ])('%s: %s', (_title, given, phase, ready) => {
    const result = of(given)
    expect([result.status.phase, result.ready]).toEqual([phase, ready])
  })

  it('shows the back-off as waiting, with the run that ended as the last state', () => {
    const [container] = of({ main: [['a', ended(3, 20_000)]] }).status.containerStatuses ?? []
    expect(container).toMatchObject({
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container=a pod=p' } },
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
      ready: false,
    })
  })

  it('keeps the transition time of a condition that stays as it was', () => {
    const shot = snapshot({ main: [['a', running]] })
    const first = desiredStatus(shot)
    const later = desiredStatus({ ...shot, nowMs: NOW + 60_000, pod: { ...shot.pod, status: first } })
    expect(later.conditions).toEqual(first.conditions)
    const changed = desiredStatus({
      ...shot,
      nowMs: NOW + 60_000,
      pod: { ...shot.pod, status: first },
      containers: new Map([['a', unready]]),
    })
    const times = Object.fromEntries((changed.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]))
    expect(times).toMatchObject({ Ready: '2026-01-02T00:01:00Z', Initialized: '2026-01-02T00:00:00Z' })
  })

  it('makes the same again of its own result, whatever older status the object still shows', () => {
    const older = { conditions: [{ type: 'Ready', status: 'True' as const, lastTransitionTime: '2026-01-01T00:00:00Z' }] }
    const seen: readonly Pod['status'][] = [undefined, older]
    for (const status of seen) {
      const shot = snapshot({ main: [['a', unready]] })
      const lastStatus = desiredStatus(shot)
      const again = desiredStatus({ ...shot, nowMs: NOW + 60_000, lastStatus, pod: { ...shot.pod, status } })
      expect(again).toEqual(lastStatus)
    }
  })

  it.each([
    [{}, 'BestEffort'],
    [{ requests: { cpu: '1' } }, 'Burstable'],
    [{ limits: { cpu: '1', memory: '1Gi' } }, 'Guaranteed'],
    [{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }, 'Burstable'],
  ])('resources %j make the pod %s', (resources, expected) => {
    const shot = snapshot({})
    const containers = [{ name: 'main', image: 'i', resources }]
    expect(desiredStatus({ ...shot, pod: { ...shot.pod, spec: { ...shot.pod.spec, containers } } }).qosClass).toBe(expected)
  })
})

describe('back-off', () => {
  it('restarts at once, then after 10 s doubling to 5 min, and anew after a run of 10 min', () => {
    let previous: number | undefined
    const delays: number[] = []
    for (let index = 0; index < 8; index++) {
      previous = restartDelay(previous, 1000)
      delays.push(previous / 1000)
    }
    expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300])
    expect(restartDelay(300_000, 600_000)).toBe(0)
  })

  it('tries again after 10 s doubling to 5 min', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 100].map((failures) => retryDelay(failures) / 1000)).toEqual([
      10, 20, 40, 80, 160, 300, 300, 300,
    ])
  })
})
