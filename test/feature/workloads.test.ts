import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newDataDir } from '../support/instance.ts'
import { deployment, echoPod, ingress, path, pod, service, startWorld, variants, type World } from '../support/world.ts'

const SLICES = '{.items[*].endpoints[*].conditions}'

describe.each(variants(18))('workloads, $title', ({ asUser, slot }) => {
  let world: World
  let dataDir: string

  beforeAll(async () => {
    dataDir = await newDataDir(asUser)
    world = await startWorld({ asUser, slot, dataDir })
  })
  afterAll(async () => {
    await world?.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  const ready = (name: string) => world.kubectl.ok(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s'])
  const urlOf = async (name: string) => `http://${await world.clusterIP(name)}:8080/`
  const conditions = (name: string) => world.jsonpath(SLICES, 'endpointslices', '-l', `kubernetes.io/service-name=${name}`)
  const answers = (url: string, code = 200) =>
    expect.poll(async () => (await world.get(url)).code, { timeout: 20_000 }).toBe(code)
  const logs = async (name: string, ...args: readonly string[]) => (await world.kubectl.run(['logs', name, ...args])).stdout
  const isGone = async (name: string) => (await world.kubectl.run(['get', 'pod', name])).stderr.includes('NotFound')

  it.each([
    ['sleep', { sleep: { seconds: 2 } }],
    ['exec', { exec: { command: ['sleep', '2'] } }],
    ['http', { httpGet: { path: '/sleep?ms=2000', port: 8080 } }],
  ])(
    'a pod that goes leaves the endpoints, runs its preStop %s, and gets SIGTERM then; as the last one it serves until then',
    async (kind, preStop) => {
      const name = `stop-${kind}`
      await world.apply([pod(name, { container: { lifecycle: { preStop } } }), service(name)])
      await ready(name)
      const url = await urlOf(name)
      await answers(url)
      const following = world.kubectl.start(['logs', '-f', name])
      await following.until('http on')
      const begun = Date.now()
      await world.kubectl.ok(['delete', 'pod', name, '--wait=false'])
      await expect.poll(() => conditions(name), { interval: 20 }).toContain('"terminating":true')
      expect(following.output()).not.toContain('SIGTERM')
      expect(JSON.parse(await conditions(name))).toEqual({ ready: false, serving: true, terminating: true })
      expect((await world.get(url)).pod).toBe(name)
      await following.until('SIGTERM')
      expect(Date.now() - begun).toBeGreaterThan(1900)
      await expect.poll(() => isGone(name), { timeout: 10_000 }).toBe(true)
      await following.stop()
    },
  )

  it('kills what ignores SIGTERM at the end of the grace period, and by force at once', async () => {
    const stubborn = (name: string) =>
      pod(name, {
        container: { command: ['sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.1; done'], readinessProbe: undefined },
        spec: { terminationGracePeriodSeconds: 3 },
      })
    await world.apply([stubborn('stubborn'), stubborn('forced')])
    await ready('stubborn')
    await ready('forced')
    await expect.poll(() => logs('stubborn')).toContain('up')
    const begun = Date.now()
    await world.kubectl.ok(['delete', 'pod', 'stubborn'])
    expect(Date.now() - begun).toBeGreaterThan(2900)
    expect(Date.now() - begun).toBeLessThan(10_000)
    const forcedAt = Date.now()
    await world.kubectl.ok(['delete', 'pod', 'forced', '--force', '--grace-period=0'])
    expect(await isGone('forced')).toBe(true)
    expect(Date.now() - forcedAt).toBeLessThan(2900)
  })

  it('an endpoint leaves when its readiness probe fails, and returns', async () => {
    await world.apply([pod('gate'), service('gate')])
    await ready('gate')
    const url = await urlOf('gate')
    await answers(url)
    const own = `http://${await world.jsonpath('{.status.podIP}', 'pod', 'gate')}:8080`
    expect((await world.get(`${own}/fail?which=readyz`)).code).toBe(200)
    await answers(url, 0)
    expect(JSON.parse(await conditions('gate'))).toMatchObject({ ready: false, terminating: false })
    expect((await world.get(`${own}/ok`)).code).toBe(200)
    await answers(url)
  })

  it('restarts what its liveness probe fails, waits before the next time, and keeps the previous log', async () => {
    const probe = { periodSeconds: 1, failureThreshold: 1 }
    await world.apply(
      pod('alive', {
        container: {
          livenessProbe: { httpGet: { path: '/healthz', port: 8080 }, ...probe },
          startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 30 },
          readinessProbe: { exec: { command: ['true'] }, ...probe },
        },
      }),
    )
    await ready('alive')
    const url = `http://${await world.jsonpath('{.status.podIP}', 'pod', 'alive')}:8080`
    const restarts = () => world.jsonpath('{.status.containerStatuses[0].restartCount}', 'pod', 'alive')
    await world.get(`${url}/fail?which=healthz`)
    await expect.poll(restarts, { timeout: 20_000 }).toBe('1')
    expect(await logs('alive', '--previous')).toContain('SIGTERM')
    await answers(`${url}/`)
    await world.get(`${url}/exit?code=3`)
    const waiting = () => world.jsonpath('{.status.containerStatuses[0].state.waiting.reason}', 'pod', 'alive')
    await expect.poll(waiting, { timeout: 10_000 }).toBe('CrashLoopBackOff')
    const code = '{.status.containerStatuses[0].lastState.terminated.exitCode}'
    expect(await world.jsonpath(code, 'pod', 'alive')).toBe('3')
  })

  it('gives containers their environment and files', async () => {
    const variable = (name: string, valueFrom: object) => ({ name, valueFrom })
    await world.apply([
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { COLOR: 'blue', 'index.html': 'from a map' },
      },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'secret' }, stringData: { TOKEN: 'hidden' } },
      service('early'),
    ])
    await world.apply([
      pod('env', {
        container: {
          command: ['sh', '-c', 'env; exec sleep 1000'],
          readinessProbe: undefined,
          envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'MAP_' }],
          env: [
            variable('NAME', { fieldRef: { fieldPath: 'metadata.name' } }),
            variable('IP', { fieldRef: { fieldPath: 'status.podIP' } }),
            variable('KEY', { configMapKeyRef: { name: 'settings', key: 'COLOR' } }),
            variable('SECRET', { secretKeyRef: { name: 'secret', key: 'TOKEN' } }),
          ],
        },
        spec: { terminationGracePeriodSeconds: 1 },
      }),
      pod('files', {
        container: {
          image: 'fairway/web',
          readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
          volumeMounts: [{ name: 'html', mountPath: '/usr/share/nginx/html' }],
        },
        spec: { volumes: [{ name: 'html', configMap: { name: 'settings' } }] },
      }),
    ])
    await ready('env')
    await ready('files')
    const lines = async () => (await logs('env')).split('\n')
    const ip = await world.jsonpath('{.status.podIP}', 'pod', 'env')
    await expect
      .poll(lines)
      .toEqual(
        expect.arrayContaining([
          'NAME=env',
          `IP=${ip}`,
          'KEY=blue',
          'SECRET=hidden',
          'MAP_COLOR=blue',
          'EARLY_SERVICE_PORT=8080',
        ]),
      )
    expect(await lines()).toContain(`EARLY_SERVICE_HOST=${await world.clusterIP('early')}`)
    const files = `http://${await world.jsonpath('{.status.podIP}', 'pod', 'files')}:8080/`
    expect((await world.get(files)).body).toBe('from a map')
    await world.kubectl.ok(['patch', 'configmap', 'settings', '-p', '{"data":{"index.html":"changed"}}'])
    await expect.poll(async () => (await world.get(files)).body, { timeout: 15_000 }).toBe('changed')
  })

  it('an Ingress tells no route, no endpoint and no answer apart, and prefers the longer path', async () => {
    const { selector: _, ...bare } = service('closed').spec
    await world.apply([
      pod('front'),
      pod('deep'),
      service('front'),
      service('deep'),
      service('nobody'),
      { ...service('closed'), spec: bare },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'closed', labels: { 'kubernetes.io/service-name': 'closed' } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 1, protocol: 'TCP' }],
        endpoints: [{ addresses: [world.instance.status.nodeAddress] }],
      },
      ingress('paths', 'paths.example', [
        path('/a', 'front'),
        path('/a/b', 'deep'),
        path('/a/b/only', 'front', 'Exact'),
        path('/nobody', 'nobody'),
        path('/closed', 'closed'),
      ]),
    ])
    await ready('front')
    await ready('deep')
    const at = (to: string) => world.ingress('paths.example', to)
    await expect.poll(async () => (await at('/a')).pod, { timeout: 15_000 }).toBe('front')
    await expect.poll(async () => (await at('/a/b/c')).pod).toBe('deep')
    expect((await at('/a/b/only')).pod).toBe('front')
    expect((await at('/ab')).code).toBe(404)
    expect((await world.ingress('unknown.example', '/a')).code).toBe(404)
    expect((await at('/nobody')).code).toBe(503)
    await expect.poll(async () => (await at('/closed')).code).toBe(502)
  })

  it('garbage collection follows --cascade', async () => {
    const count = async (kind: string, app: string) =>
      (await world.jsonpath('{.items[*].metadata.name}', kind, '-l', `app=${app}`)).split(' ').filter(Boolean).length
    for (const how of ['background', 'foreground', 'orphan']) {
      const app = `owner-${how}`
      await world.apply(deployment(app, echoPod(app)))
      await world.rollout(app)
      await world.kubectl.ok(['delete', 'deployment', app, `--cascade=${how}`])
      const left = how === 'orphan' ? 1 : 0
      if (how === 'foreground') expect(await count('replicasets', app)).toBe(0)
      await expect.poll(() => count('replicasets', app), { timeout: 20_000 }).toBe(left)
      await expect.poll(() => count('pods', app), { timeout: 20_000 }).toBe(left * 2)
    }
    await world.kubectl.ok(['delete', 'replicaset', '-l', 'app=owner-orphan'])
    await expect.poll(() => count('pods', 'owner-orphan'), { timeout: 20_000 }).toBe(0)
  })

  it('a namespace goes with everything in it', async () => {
    await world.kubectl.ok(['create', 'namespace', 'brief'])
    const inBrief = (item: { readonly metadata: object }) => ({ ...item, metadata: { ...item.metadata, namespace: 'brief' } })
    const web = [deployment('web', echoPod('web')), service('web'), ingress('web', 'brief.example', [path('/', 'web')])]
    await world.apply(web.map(inBrief))
    await world.rollout('web', 'brief')
    await expect.poll(async () => (await world.ingress('brief.example', '/')).code, { timeout: 15_000 }).toBe(200)
    await world.kubectl.ok(['delete', 'namespace', 'brief', '--timeout=60s'])
    expect((await world.ingress('brief.example', '/')).code).toBe(404)
    const kinds = 'pods,services,endpoints,endpointslices,ingresses,deployments,replicasets,configmaps'
    expect((await world.kubectl.run(['get', kinds, '-n', 'brief', '-o', 'name'])).stdout).toBe('')
  })

  it('serves every Service and Ingress again after a restart on the same folder', async () => {
    await world.apply([deployment('web', echoPod('web')), service('web'), ingress('web', 'again.example', [path('/', 'web')])])
    await world.rollout('web')
    const url = await urlOf('web')
    await answers(url)
    const watching = world.kubectl.start(['get', 'services', '-w'])
    await watching.until('web')
    await world.close()
    expect(watching.output()).not.toContain('panic')
    await watching.stop()
    world = await startWorld({ asUser, slot, dataDir })
    expect(await urlOf('web')).toBe(url)
    await answers(url)
    await expect.poll(async () => (await world.ingress('again.example', '/')).code, { timeout: 20_000 }).toBe(200)
  })
})
