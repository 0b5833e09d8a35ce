import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LoadReport, type LoadTarget, startLoad } from '../support/load.ts'
import { deployment, echoPod, ingress, path, service, startWorld, variants, type World } from '../support/world.ts'

const PRE_STOP = { container: { lifecycle: { preStop: { sleep: { seconds: 1 } } } } }
const DRAIN = { container: { args: ['--drain-ms', '1000'] } }
const SURGE = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } }

/** A kept connection of these leads to one pod, and ends with it. */
const KEPT_TO_THE_POD = ['ClusterIP, kept', 'NodePort, kept']

/** A refusal where the kernel carries the Service, a reset where the proxy has accepted already; the Ingress says it in HTTP. */
const TOLD_AT_ONCE =
  /^\S+ (ClusterIP|NodePort), \w+: (connect|read) (ECONNREFUSED|ECONNRESET)\b.*, on a new connection at |^\S+ Ingress, \w+: 50[23] at /

describe.each(variants(15))('a workload that changes under load, $title', ({ asUser, slot }) => {
  let world: World
  let targets: readonly LoadTarget[]

  beforeAll(async () => {
    world = await startWorld({ asUser, slot })
  })
  afterAll(() => world?.close())

  const deploy = async (options: Parameters<typeof echoPod>[1], spec: object = SURGE): Promise<void> => {
    await world.kubectl.run(['delete', 'deployment', 'web', '--ignore-not-found', '--wait'])
    await world.apply([
      deployment('web', echoPod('web', options), spec),
      service('web', { type: 'NodePort' }),
      ingress('web', 'web.example', [path('/', 'web')]),
    ])
    await world.rollout('web')
    const nodePort = await world.jsonpath('{.spec.ports[0].nodePort}', 'service', 'web')
    targets = [
      { name: 'ClusterIP', url: `http://${await world.clusterIP('web')}:8080/` },
      { name: 'NodePort', url: `http://${world.instance.status.nodeAddress}:${nodePort}/` },
      { name: 'Ingress', url: world.instance.status.ingress.http, host: 'web.example' },
    ]
    for (const { url, host } of targets) {
      const args = host === undefined ? [] : ['-H', `Host: ${host}`]
      // Also called by hooks, where expect.poll may not be.
      await vi.waitFor(async () => expect((await world.get(url, ...args)).code).toBe(200), { timeout: 20_000, interval: 50 })
    }
  }

  /** Runs load through every way in while `change` happens, and until the old pods are gone. */
  const during = async (change: () => Promise<unknown>): Promise<LoadReport> => {
    const load = startLoad(targets)
    try {
      await change()
      await world.rollout('web')
      await expect
        .poll(() => world.jsonpath('{.items[?(@.metadata.deletionTimestamp)].metadata.name}', 'pods', '-l', 'app=web'), {
          timeout: 30_000,
        })
        .toBe('')
    } catch (error) {
      await load.stop()
      throw error
    }
    return load.stop()
  }

  /**
   * No request fails, on new connections and on kept ones. What remains is a request on a kept connection that crosses the FIN of the pod at its other end:
   * by ClusterIP and NodePort only, where nothing between client and pod speaks HTTP. The Ingress closes none of its clients' connections because a pod goes.
   */
  const expectServed = ({ answered, failures, crossed }: LoadReport): void => {
    expect(failures).toEqual([])
    expect(Object.keys(answered)).toHaveLength(targets.length * 2)
    expect(Object.keys(crossed).filter((kind) => !KEPT_TO_THE_POD.includes(kind))).toEqual([])
  }

  const restart = () => world.kubectl.ok(['rollout', 'restart', 'deployment/web'])
  const scale = (replicas: number) => () => world.kubectl.ok(['scale', 'deployment/web', `--replicas=${replicas}`])

  describe.each([
    ['with a preStop sleep', PRE_STOP],
    ['with pods that drain', DRAIN],
    ['with pods that end at SIGTERM', {}],
  ])('%s', (_, options) => {
    beforeAll(() => deploy(options))

    it('loses no request at rollout restart', async () => {
      expectServed(await during(restart))
    })

    it('loses no request at set image and rollout undo', async () => {
      expectServed(await during(() => world.kubectl.ok(['set', 'image', 'deployment/web', 'echo=traefik/whoami'])))
      expectServed(await during(() => world.kubectl.ok(['rollout', 'undo', 'deployment/web'])))
      expect(await world.jsonpath('{.spec.template.spec.containers[0].image}', 'deployment', 'web')).toBe('fairway/echo')
    })

    it('loses no request while it scales up and down', async () => {
      expectServed(await during(scale(5)))
      expectServed(await during(scale(1)))
      expect((await world.jsonpath('{.items[*].metadata.name}', 'pods', '-l', 'app=web')).split(' ')).toHaveLength(1)
    })
  })

  it('replaces all pods at once with Recreate: failures are told at once, and it answers again after', async () => {
    await deploy({}, { strategy: { type: 'Recreate' } })
    const before = (await world.jsonpath('{.items[*].metadata.name}', 'pods', '-l', 'app=web')).split(' ')
    const { failures } = await during(restart)
    expect(failures.filter((line) => !TOLD_AT_ONCE.test(line))).toEqual([])
    const after = (await world.jsonpath('{.items[*].metadata.name}', 'pods', '-l', 'app=web')).split(' ')
    expect(after).toHaveLength(2)
    expect(after.filter((name) => before.includes(name))).toEqual([])
    for (const { url, host } of targets) {
      await expect.poll(async () => (await world.get(url, ...(host ? ['-H', `Host: ${host}`] : []))).code).toBe(200)
    }
  })
})
