import { describe, expect, it } from 'vitest'
import { type Node, nodeKind, type Pod, podKind } from '../../api/index.ts'
import { readyNode, withControllers } from '../testing/rig.ts'
import { isWaiting, placePod } from './desired.ts'
import { createScheduler } from './index.ts'

const pod = (spec: Partial<Pod['spec']> = {}, name = 'a'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'main', image: 'echo' }], ...spec },
})

const node = (name: string, spec: Partial<Node['spec']> = {}, labels: Readonly<Record<string, string>> = {}): Node => ({
  ...readyNode(name),
  metadata: { name, labels },
  spec,
})

const place = (of: Pod, ...nodes: readonly Node[]): string => {
  const placement = placePod(
    of,
    nodes.map((view) => ({ node: view, pods: [] })),
  )
  return placement.kind === 'node' ? placement.name : placement.message
}

const affinity = (operator: 'In' | 'NotIn' | 'Exists' | 'Gt', values: readonly string[]): Partial<Pod['spec']> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator, values }] }],
      },
    },
  },
})

const hostPort = (port: number): Partial<Pod['spec']> => ({
  containers: [{ name: 'm', image: 'i', ports: [{ containerPort: port, hostPort: port, protocol: 'TCP' }] }],
})

describe('placement', () => {
  it.each([
    ['the node with the fewest pods, by name among equals', pod(), [node('b'), node('a')], 'a'],
    ['none when there is none', pod(), [], 'no nodes available to schedule pods'],
    ['none that is not ready', pod(), [{ ...node('a'), status: {} }], '0/1 nodes are available: 1 node(s) were not ready.'],
    [
      'none that is cordoned',
      pod(),
      [node('a', { unschedulable: true })],
      '0/1 nodes are available: 1 node(s) were unschedulable.',
    ],
    [
      'a cordoned one for a pod that tolerates it',
      pod({ tolerations: [{ operator: 'Exists' }] }),
      [node('a', { unschedulable: true })],
      'a',
    ],
    [
      'none with a taint',
      pod(),
      [node('a', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] })],
      '0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.',
    ],
    [
      'one with a taint that is tolerated',
      pod({ tolerations: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] }),
      [node('a', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] })],
      'a',
    ],
    ['one that is only better avoided', pod(), [node('a', { taints: [{ key: 'old', effect: 'PreferNoSchedule' }] })], 'a'],
    ['the one that the selector names', pod({ nodeSelector: { disk: 'ssd' } }), [node('a'), node('b', {}, { disk: 'ssd' })], 'b'],
    ['the one that the affinity wants', pod(affinity('In', ['ssd'])), [node('a'), node('b', {}, { disk: 'ssd' })], 'b'],
    ['another than the affinity refuses', pod(affinity('NotIn', ['ssd'])), [node('a', {}, { disk: 'ssd' }), node('b')], 'b'],
    [
      'one whose number is large enough',
      pod(affinity('Gt', ['5'])),
      [node('a', {}, { disk: '5' }), node('b', {}, { disk: '6' })],
      'b',
    ],
  ])('finds %s', (_, of, nodes, expected) => {
    expect(place(of, ...nodes)).toBe(expected)
  })

  it('counts reasons, and keeps host ports apart', () => {
    const views = [
      { node: node('a'), pods: [pod(hostPort(80), 'x')] },
      { node: node('b', { unschedulable: true }), pods: [] },
    ]
    expect(placePod(pod(hostPort(80)), views)).toEqual({
      kind: 'none',
      message:
        "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 1 node(s) were unschedulable.",
    })
    expect(placePod(pod(hostPort(81)), views)).toEqual({ kind: 'node', name: 'a' })
  })

  it('leaves pods to other schedulers, gates and deletion', () => {
    expect(isWaiting(pod())).toBe(true)
    expect(isWaiting(pod({ schedulerName: 'mine' }))).toBe(false)
    expect(isWaiting(pod({ schedulingGates: [{ name: 'wait' }] }))).toBe(false)
    expect(isWaiting(pod({ nodeName: 'a' }))).toBe(false)
    expect(isWaiting({ ...pod(), metadata: { name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' } })).toBe(false)
  })
})

describe('scheduler', () => {
  it('spreads pods that come at once, before its cache shows the first', () =>
    withControllers(
      (deps) => [createScheduler(deps)],
      async ({ api, advance }) => {
        for (const name of ['one', 'two']) api.put(nodeKind, readyNode(name))
        await advance()
        for (let i = 0; i < 6; i++) api.put(podKind, pod({}, `p${i}`))
        await advance()
        expect(
          api
            .objects(podKind)
            .map(({ spec }) => spec.nodeName)
            .toSorted(),
        ).toEqual(['one', 'one', 'one', 'two', 'two', 'two'])
      },
    ))

  it('tries again when a node gets ready or a port gets free, and not for a heartbeat', () =>
    withControllers(
      (deps) => [createScheduler(deps)],
      async ({ api, advance, writes }) => {
        const one = api.put(nodeKind, { ...readyNode('one'), status: {} })
        api.put(podKind, pod(hostPort(80)))
        await advance()
        writes()
        api.put(nodeKind, { ...one, status: { nodeInfo: undefined, phase: 'x' } } as Node)
        await advance()
        expect(writes()).toEqual([])
        api.put(nodeKind, { ...readyNode('one'), metadata: one.metadata })
        api.put(podKind, pod(hostPort(80), 'b'))
        await advance()
        expect(api.objects(podKind).map(({ spec }) => spec.nodeName)).toEqual(['one', undefined])
        api.remove(podKind, { namespace: 'default', name: 'a' })
        await advance()
        expect(api.objects(podKind).map(({ spec }) => spec.nodeName)).toEqual(['one'])
      },
    ))
})
