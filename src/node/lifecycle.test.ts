import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Container, type ContainerStatus, configMapKind, type Pod, podKind, secretKind } from '../api/index.ts'
import { pod } from '../api/testing/index.ts'
import { type Clock, realClock } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { type FakeApi, fakeApi } from '../client/testing/index.ts'
import { processesWithEnv } from '../host/index.ts'
import { isReady, NODE, type NodeLab, startNodeLab } from './testing/node-lab.ts'

const sh = (script: string): Partial<Container> => ({ image: 'test/shell', command: ['sh', '-c', script] })
const of = (object: Pod, container = 'main'): ContainerStatus | undefined =>
  [...(object.status?.initContainerStatuses ?? []), ...(object.status?.containerStatuses ?? [])].find(
    ({ name }) => name === container,
  )
const catalogue = { 'test/shell': { command: ['sh'] } }

/** A folder of the machine that a container sees at /flags. */
const flagFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-flags-'))
  folders.push(folder)
  return {
    folder,
    mount: { volumeMounts: [{ name: 'flags', mountPath: '/flags' }] },
    volume: { volumes: [{ name: 'flags', hostPath: { path: folder } }] },
  }
}

/** Lets everything that is ready to run do so, that many times. */
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}

/** Tells watchers of a change some turns after its writer has the answer. */
const lateWatches = (api: FakeApi): FakeApi => ({
  ...api,
  async execute(request) {
    const answer = await api.execute(request)
    return answer.kind === 'watch' ? { ...answer, events: late(answer.events) } : answer
  },
})

async function* late<T>(events: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const event of events) {
    await turns(3)
    yield event
  }
}

const folders: string[] = []
const file = join(tmpdir(), `fairway-catalogue-${process.pid}.json`)
afterAll(async () => {
  for (const path of [...folders, file]) await rm(path, { recursive: true, force: true })
})

const startLab = async (options: Partial<Parameters<typeof startNodeLab>[0]> = {}): Promise<NodeLab> => {
  await writeFile(file, JSON.stringify(catalogue))
  return startNodeLab({ kind: 'loopback', catalogueFile: file, ...options })
}

describe('the life of a pod', () => {
  let lab: NodeLab
  beforeAll(async () => {
    lab = await startLab()
  })
  afterAll(() => lab.close())
  const create = (name: string, container: Partial<Container>, spec: Partial<Pod['spec']> = {}): Promise<Pod> =>
    lab.create(pod(name).node(NODE).container(container).spec(spec).build())
  const remove = (name: string, gracePeriodSeconds?: number) =>
    lab.api.client.delete(podKind, { namespace: 'default', name }, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds })

  it.each([
    [0, 'Succeeded', 'Completed'],
    [3, 'Failed', 'Error'],
  ])('a container that exits with %d and is not restarted makes the pod %s', async (code, phase, reason) => {
    await create(`exit-${code}`, sh(`echo bye; exit ${code}`), { restartPolicy: 'Never' })
    const ended = await lab.when(`exit-${code}`, ({ status }) => status?.phase === phase)
    expect(of(ended)).toMatchObject({ ready: false, restartCount: 0, state: { terminated: { exitCode: code, reason } } })
    expect(await lab.readLog(`exit-${code}`)).toBe('bye\n')
    await remove(`exit-${code}`)
    await lab.whenGone(`exit-${code}`)
  })

  it('init containers run one after the other before the others, and share volumes with them', async () => {
    const mounted = { volumeMounts: [{ name: 'work', mountPath: '/work-area' }] }
    const init = (name: string): Container => ({ name, ...sh(`echo ${name} >> $FAIRWAY_MOUNT_WORK/order`), ...mounted })
    await create(
      'init',
      { ...sh('cat $FAIRWAY_MOUNT_WORK/order'), ...mounted },
      {
        restartPolicy: 'Never',
        initContainers: [init('first'), init('second')],
        volumes: [{ name: 'work', emptyDir: {} }],
      },
    )
    const ended = await lab.when('init', ({ status }) => status?.phase === 'Succeeded')
    expect(await lab.readLog('init')).toBe('first\nsecond\n')
    expect(of(ended, 'second')).toMatchObject({ ready: true, state: { terminated: { exitCode: 0 } } })
  })

  it('a failed init container of a pod that is never restarted fails the pod and starts nothing else', async () => {
    await create('init-fails', sh('echo never'), { restartPolicy: 'Never', initContainers: [{ name: 'first', ...sh('exit 9') }] })
    const ended = await lab.when('init-fails', ({ status }) => status?.phase === 'Failed')
    expect(of(ended)?.state?.waiting?.reason).toBe('PodInitializing')
    expect(of(ended, 'first')?.state?.terminated?.exitCode).toBe(9)
  })

  it('an unknown image leaves the pod pending and says which names exist', async () => {
    await create('unknown', { image: 'registry.example/thing:v9' })
    const waiting = await lab.when('unknown', (object) => of(object)?.state?.waiting?.reason === 'ErrImagePull')
    expect(waiting.status?.phase).toBe('Pending')
    expect(of(waiting)?.state?.waiting?.message).toMatch(
      /"registry.example\/thing:v9" is not in the catalogue .*fairway\/echo.*test\/shell/,
    )
    await expect.poll(() => lab.events('unknown').join('\n')).toContain('Failed to pull image')
    await remove('unknown')
    await lab.whenGone('unknown')
  })

  it('waits for a ConfigMap and a Secret that are missing, and starts when they come', async () => {
    await create(
      'late',
      {
        ...sh('echo $FROM_MAP $FROM_SECRET $PREFIX_other $EXPANDED; cat $FAIRWAY_MOUNT_MAP/key'),
        volumeMounts: [{ name: 'map', mountPath: '/map' }],
        envFrom: [{ prefix: 'PREFIX_', configMapRef: { name: 'late' } }],
        env: [
          { name: 'FROM_MAP', valueFrom: { configMapKeyRef: { name: 'late', key: 'key' } } },
          { name: 'FROM_SECRET', valueFrom: { secretKeyRef: { name: 'late', key: 'token' } } },
          { name: 'EXPANDED', value: '$(FROM_MAP)-$$(X)-$(NONE)-$(POD_NAME)' },
        ],
      },
      { restartPolicy: 'Never', volumes: [{ name: 'map', configMap: { name: 'late' } }] },
    )
    await expect.poll(() => lab.events('late').join('\n')).toContain('FailedMount: volume "map": configmap "late" not found')
    const metadata = { name: 'late', namespace: 'default' }
    await lab.api.client.create(configMapKind, { metadata, data: { key: 'value', other: 'whole' } })
    await lab.when('late', (object) => of(object)?.state?.waiting?.reason === 'CreateContainerConfigError')
    await lab.api.client.create(secretKind, { metadata, data: { token: Buffer.from('hush').toString('base64') } })
    await lab.when('late', ({ status }) => status?.phase === 'Succeeded')
    expect(await lab.readLog('late')).toBe('value hush whole value-$(X)-$(NONE)-late\nvalue')
  })

  it('a liveness probe that fails restarts the container; the log of the run before stays readable', async () => {
    const flags = await flagFolder()
    const livenessProbe = {
      exec: { command: ['test', '!', '-e', '/flags/broken'] },
      periodSeconds: 1,
      failureThreshold: 1,
    }
    await create(
      'alive',
      { ...sh('echo run; exec sleep 600'), livenessProbe, ...flags.mount },
      { terminationGracePeriodSeconds: 1, ...flags.volume },
    )
    await lab.whenReady('alive')
    await lab.whenLogged('alive', 'run')
    await writeFile(join(flags.folder, 'broken'), '')
    const restarted = await lab.when('alive', (object) => (of(object)?.restartCount ?? 0) > 0)
    expect(of(restarted)?.lastState?.terminated?.exitCode).toBe(143)
    expect(await lab.readLog('alive', { previous: true })).toBe('run\n')
    expect(lab.events('alive').join('\n')).toContain('Unhealthy: Liveness probe failed')
    await remove('alive', 0)
    await lab.whenGone('alive')
  })

  it('a startup probe holds the readiness back', async () => {
    const flags = await flagFolder()
    const startupProbe = { exec: { command: ['test', '-e', '/flags/started'] }, periodSeconds: 1, failureThreshold: 60 }
    await create('slow', { ...sh('exec sleep 600'), startupProbe, ...flags.mount }, flags.volume)
    const running = await lab.when('slow', ({ status }) => status?.phase === 'Running')
    expect(of(running)).toMatchObject({ started: false, ready: false })
    await writeFile(join(flags.folder, 'started'), '')
    expect(of(await lab.whenReady('slow'))).toMatchObject({ started: true, ready: true })
    await remove('slow', 0)
    await lab.whenGone('slow')
  })

  it('a readiness gate keeps the pod unready until its condition is true, which the node leaves to others', async () => {
    await create('gated', sh('exec sleep 600'), { readinessGates: [{ conditionType: 'example.com/open' }] })
    const closed = await lab.when('gated', (object) => of(object)?.ready === true)
    expect(closed.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
    })
    const gate = { type: 'example.com/open', status: 'True' as const }
    const value = { status: { conditions: [...(closed.status?.conditions ?? []), gate] } }
    await lab.api.client.patch(
      podKind,
      { namespace: 'default', name: 'gated' },
      { type: 'merge', value },
      { subresource: 'status' },
    )
    const open = await lab.whenReady('gated')
    expect(open.status?.conditions).toContainEqual(gate)
    await remove('gated', 0)
    await lab.whenGone('gated')
  })

  it('deletion runs preStop, then SIGTERM, and shows the last status before the object goes', async () => {
    const preStop = { exec: { command: ['sh', '-c', 'echo stopping > $FAIRWAY_MOUNT_OUT/pre'] } }
    const script = 'trap "cat $FAIRWAY_MOUNT_OUT/pre; exit 5" TERM; echo up; while :; do sleep 0.05; done'
    const volumes = [{ name: 'out', emptyDir: {} }]
    await create(
      'polite',
      { ...sh(script), lifecycle: { preStop }, volumeMounts: [{ name: 'out', mountPath: '/out' }] },
      { volumes },
    )
    await lab.whenLogged('polite', 'up')
    const log = lab.readLog('polite', { follow: true })
    const seen: Pod[] = []
    const stop = lab.pods.onChange(({ object }) => object.metadata.name === 'polite' && seen.push(object))
    await remove('polite')
    await lab.whenGone('polite')
    stop()
    expect(await log).toBe('up\nstopping\n')
    expect(seen.map((object) => of(object)?.state?.terminated?.exitCode)).toContain(5)
  })

  it('what ignores SIGTERM is killed at the end of the grace period', async () => {
    await create('stubborn', sh('trap "" TERM; echo up; while :; do sleep 0.05; done'))
    await lab.whenLogged('stubborn', 'up')
    const before = Date.now()
    await remove('stubborn', 1)
    await lab.whenGone('stubborn')
    expect(Date.now() - before).toBeGreaterThan(900)
  })

  it('a forced deletion kills at once, with all that the container started', async () => {
    const created = await create('forced', sh('trap "" TERM; setsid sleep 600 & echo up; sleep 600'))
    await lab.whenLogged('forced', 'up')
    expect((await processesWithEnv('FAIRWAY_POD_UID', created.metadata.uid ?? '')).length).toBeGreaterThan(1)
    await remove('forced', 0)
    await lab.whenGone('forced')
    await expect.poll(() => processesWithEnv('FAIRWAY_POD_UID', created.metadata.uid ?? '')).toEqual([])
  })

  it('an active deadline ends the pod', async () => {
    await create('deadline', sh('exec sleep 600'), { activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 1 })
    const ended = await lab.when('deadline', ({ status }) => status?.phase === 'Failed')
    expect(ended.status?.reason).toBe('DeadlineExceeded')
  })

  it('pods of other nodes and other pods make no work', async () => {
    await create('calm', sh('exec sleep 600'))
    await lab.whenReady('calm')
    const before = lab.api.requests.length
    for (let index = 0; index < 50; index++) await lab.create(pod(`other-${index}`).node('elsewhere').build())
    expect(lab.api.requests.slice(before).filter(({ verb, resource }) => resource === 'pods' && verb !== 'create')).toEqual([])
    await remove('calm', 0)
    await lab.whenGone('calm')
  })
})

describe('the status that the node writes', () => {
  it('comes to rest, also when every look at the clock finds another second and the API tells of a write after it answered', async () => {
    let seconds = Date.now() / 1000
    const clock: Clock = { ...realClock, now: () => ++seconds * 1000 }
    const api = lateWatches(fakeApi())
    const writes = (): number =>
      api.requests.filter(({ verb, subresource }) => verb === 'update' && subresource === 'status').length
    const lab = await startLab({ api, clock })
    onTestFinished(() => lab.close())
    await lab.create(pod('calm').node(NODE).container(sh('exec sleep 600')).build())
    await lab.whenReady('calm')
    await turns(50)
    const atRest = writes()
    await turns(50)
    expect(writes()).toBe(atRest)
  })
})

describe('restart back-off', () => {
  it('is immediate, then 10 s, then 20 s, and shows CrashLoopBackOff meanwhile', async () => {
    const clock = pausedClock(Date.now())
    const lab = await startLab({ clock })
    await lab.create(pod('crash').node(NODE).container(sh('exit 1')).build())
    const crashed = async (count: number): Promise<string | undefined> => {
      const object = await lab.when(
        'crash',
        (now) => of(now)?.restartCount === count && of(now)?.state?.waiting?.reason === 'CrashLoopBackOff',
      )
      expect(of(object)?.lastState?.terminated?.exitCode).toBe(1)
      return of(object)?.state?.waiting?.message
    }
    expect(await crashed(1)).toBe('back-off 10s restarting failed container=main pod=crash')
    await clock.advance(9_999)
    expect(of(lab.pods.get('default', 'crash') as Pod)?.restartCount).toBe(1)
    await clock.advance(1)
    expect(await crashed(2)).toMatch(/^back-off 20s/)
    await clock.advance(20_000)
    expect(await crashed(3)).toMatch(/^back-off 40s/)
    await lab.close()
  })
})

describe('a node that stops and comes back', () => {
  it('leaves objects and no processes, and restarts the pods at their addresses with one restart counted', async () => {
    const lab = await startLab()
    const created = await lab.create(pod('again').node(NODE).container(sh('echo $POD_IP; exec sleep 600')).build())
    await lab.create(pod('filler').node(NODE).container(sh('exec sleep 600')).build())
    const before = await lab.whenReady('again')
    await lab.stop()
    expect(await processesWithEnv('FAIRWAY_POD_UID', created.metadata.uid ?? '')).toEqual([])
    expect(lab.api.objects(podKind).length).toBe(2)

    const second = await startLab({ api: lab.api, dataDir: lab.dataDir, network: lab.network })
    const after = await second.when('again', (object) => isReady(object) && of(object)?.restartCount === 1)
    expect(after.status?.podIP).toBe(before.status?.podIP)
    expect(of(after)?.lastState?.terminated?.exitCode).toBe(137)
    await second.close()
  })
})
