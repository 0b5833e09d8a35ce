import { describe, expect, it } from 'vitest'
import { pod } from '../../testing/index.ts'
import type { ContainerState, ContainerStatus } from './pod-status.ts'
import { summarize } from './pod-summary.ts'

const status = (state: ContainerState, more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name: 'main',
  image: 'x',
  imageID: 'x',
  ready: false,
  restartCount: 0,
  state,
  ...more,
})
const base = pod('web').phase('Running')
const withMain = (...containerStatuses: ContainerStatus[]) => base.status({ containerStatuses })
const init = (name: string, restartPolicy?: string) => ({ name, image: 'x', ...(restartPolicy && { restartPolicy }) })

describe('the status of a pod in one word', () => {
  it.each([
    ['Pending', pod('web')],
    ['Running', pod('web').ip('10.0.0.1')],
    ['CrashLoopBackOff', withMain(status({ waiting: { reason: 'CrashLoopBackOff' } }))],
    ['Error', withMain(status({ terminated: { exitCode: 1, reason: 'Error' } }))],
    ['ExitCode:3', withMain(status({ terminated: { exitCode: 3 } }))],
    ['Signal:9', withMain(status({ terminated: { exitCode: 137, signal: 9 } }))],
    ['Completed', withMain(status({ terminated: { exitCode: 0, reason: 'Completed' } })).phase('Succeeded')],
    [
      'NotReady',
      withMain(status({ terminated: { exitCode: 0, reason: 'Completed' } }), status({ running: {} }, { name: 'b', ready: true })),
    ],
    ['Evicted', base.status({ reason: 'Evicted', phase: 'Failed' })],
    ['Terminating', pod('web').ip('10.0.0.1').deleted()],
    ['Succeeded', base.phase('Succeeded').deleted()],
    ['Unknown', base.status({ reason: 'NodeLost' }).deleted()],
    [
      'SchedulingGated',
      pod('web').status({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
    ],
    [
      'Init:0/2',
      base
        .spec({ initContainers: [init('a'), init('b')] })
        .status({ initContainerStatuses: [status({ running: {} }, { name: 'a' })] }),
    ],
    [
      'Init:1/2',
      base.spec({ initContainers: [init('a'), init('b')] }).status({
        initContainerStatuses: [
          status({ terminated: { exitCode: 0 } }, { name: 'a' }),
          status({ waiting: { reason: 'PodInitializing' } }, { name: 'b' }),
        ],
      }),
    ],
    [
      'Init:Error',
      base
        .spec({ initContainers: [init('a')] })
        .status({ initContainerStatuses: [status({ terminated: { exitCode: 1, reason: 'Error' } }, { name: 'a' })] }),
    ],
    [
      'Init:ErrImagePull',
      base
        .spec({ initContainers: [init('a')] })
        .status({ initContainerStatuses: [status({ waiting: { reason: 'ErrImagePull' } }, { name: 'a' })] }),
    ],
  ])('%s', (reason, builder) => {
    expect(summarize(builder.build()).reason).toBe(reason)
  })
})

describe('readiness and restarts of a pod', () => {
  it('count sidecars among the containers', () => {
    const object = base
      .spec({ initContainers: [init('side', 'Always'), init('once')] })
      .status({
        initContainerStatuses: [
          status({ running: {} }, { name: 'side', started: true, ready: true, restartCount: 2 }),
          status({ terminated: { exitCode: 0 } }, { name: 'once', restartCount: 5 }),
        ],
        containerStatuses: [
          status(
            { running: {} },
            { ready: true, restartCount: 1, lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:00:30Z' } } },
          ),
        ],
      })
      .build()
    expect(summarize(object)).toMatchObject({ ready: 2, total: 2, restarts: 3, lastRestart: '2026-01-01T00:00:30Z' })
  })
})
