import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as tlsConnect } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Backend, datagramAnswer, firstLine, httpBackend, tcpBackend, udpBackend } from './testing/backends.ts'
import { makeCertificate } from './testing/certificate.ts'
import { startCloud, type TestCloud } from './testing/cloud.ts'

const run = promisify(execFile)

describe('traffic', () => {
  let cloud: TestCloud
  const backends: Backend[] = []
  beforeAll(async () => {
    cloud = await startCloud({ inventory: { instances: [{ id: 'ins-a', address: '127.0.0.1' }] } })
    expect((await cloud.control('POST', '/certificates', await makeCertificate('cert-a', 'a.example.com'))).status).toBe(201)
  })
  afterEach(async () => {
    await Promise.all(backends.splice(0).map((backend) => backend.stop()))
  })
  afterAll(() => cloud.stop())

  const up = async (backend: Promise<Backend>): Promise<Backend> => {
    const one = await backend
    backends.push(one)
    return one
  }
  const loadBalancer = async (): Promise<{ readonly id: string; readonly vip: string }> => {
    const answer = await cloud.clb.CreateLoadBalancer({ LoadBalancerType: 'OPEN' })
    await cloud.done(answer)
    const id = answer.LoadBalancerIds?.[0] ?? ''
    const found = await cloud.clb.DescribeLoadBalancers({ LoadBalancerIds: [id] })
    return { id, vip: found.LoadBalancerSet?.[0]?.LoadBalancerVips?.[0] ?? '' }
  }
  const listener = async (id: string, Protocol: string, port: number, more: object = {}): Promise<string> => {
    const answer = await cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [port], Protocol, ...more })
    await cloud.done(answer)
    return answer.ListenerIds?.[0] ?? ''
  }
  const register = async (
    id: string,
    ListenerId: string,
    targets: readonly { readonly at: Backend; readonly weight?: number }[],
    LocationId?: string,
  ) => {
    await cloud.done(
      await cloud.clb.RegisterTargets({
        LoadBalancerId: id,
        ListenerId,
        Targets: targets.map(({ at, weight = 10 }) => ({ EniIp: at.address, Port: at.port, Weight: weight })),
        ...(LocationId !== undefined && { LocationId }),
      }),
    )
  }
  const healthOf = async (id: string): Promise<readonly string[]> => {
    const { LoadBalancers } = await cloud.clb.DescribeTargetHealth({ LoadBalancerIds: [id] })
    return (LoadBalancers?.[0]?.Listeners ?? []).flatMap(({ Rules = [] }) =>
      Rules.flatMap(({ Targets = [] }) => Targets.map((one) => one.HealthStatusDetail ?? '')),
    )
  }
  const count = (answers: readonly string[]): Record<string, number> => {
    const counts: Record<string, number> = {}
    for (const one of answers) counts[one] = (counts[one] ?? 0) + 1
    return counts
  }
  const times = async <T>(n: number, ask: () => Promise<T>): Promise<T[]> => {
    const answers: T[] = []
    for (let i = 0; i < n; i++) answers.push(await ask())
    return answers
  }

  it('of TCP goes by weight, not at all to weight 0, and reads back through an instance', async () => {
    const { id, vip } = await loadBalancer()
    const at = await listener(id, 'TCP', 8001)
    const [a, b, c] = [await up(tcpBackend('a')), await up(tcpBackend('b')), await up(tcpBackend('c'))]
    await register(id, at, [
      { at: a, weight: 30 },
      { at: b, weight: 10 },
      { at: c, weight: 0 },
    ])
    expect(count(await times(40, () => firstLine(vip, 8001)))).toEqual({ a: 30, b: 10 })
    await cloud.done(
      await cloud.clb.ModifyTargetWeight({
        LoadBalancerId: id,
        ListenerId: at,
        Targets: [{ EniIp: '127.0.0.1', Port: a.port }],
        Weight: 0,
      }),
    )
    expect(count(await times(5, () => firstLine(vip, 8001)))).toEqual({ b: 5 })
    const other = await listener(id, 'TCP', 8002)
    await cloud.clb.BatchRegisterTargets({
      LoadBalancerId: id,
      Targets: [{ ListenerId: other, InstanceId: 'ins-a', Port: (await up(tcpBackend('d'))).port }],
    })
    expect(await firstLine(vip, 8002)).toBe('d')
    await cloud.done(await cloud.clb.DeleteListener({ LoadBalancerId: id, ListenerId: at }))
    expect(await firstLine(vip, 8001)).toBe('')
  })

  it('of one client stays with its target while the session lasts', async () => {
    const { id, vip } = await loadBalancer()
    const at = await listener(id, 'TCP', 8001, { SessionExpireTime: 3600 })
    await register(id, at, [{ at: await up(tcpBackend('a')) }, { at: await up(tcpBackend('b')) }])
    const counts = count(await times(6, () => firstLine(vip, 8001)))
    expect(Object.values(counts)).toEqual([6])
  })

  it('of LEAST_CONN goes where fewest connections are open', async () => {
    const { id, vip } = await loadBalancer()
    const at = await listener(id, 'TCP', 8001, { Scheduler: 'LEAST_CONN' })
    await register(id, at, [{ at: await up(tcpBackend('a')) }])
    const held = await Promise.all([open(vip, 8001), open(vip, 8001)])
    await register(id, at, [{ at: await up(tcpBackend('b')) }])
    const more = [await open(vip, 8001), await open(vip, 8001)]
    expect(more.map(({ name }) => name)).toEqual(['b', 'b'])
    for (const { socket } of [...held, ...more]) socket.destroy()
  })

  it('of an open connection outlives deregistration, unless the listener resets it', async () => {
    const { id, vip } = await loadBalancer()
    const keeping = await listener(id, 'TCP', 8001)
    const resetting = await listener(id, 'TCP', 8002, { DeregisterTargetRst: true })
    const [a, b] = [await up(tcpBackend('a')), await up(tcpBackend('b'))]
    await register(id, keeping, [{ at: a }])
    await register(id, resetting, [{ at: b }])
    const [kept, reset] = [await open(vip, 8001), await open(vip, 8002)]
    const ended = new Promise((resolve) => reset.socket.once('close', resolve))
    const targets = [
      { ListenerId: keeping, at: a },
      { ListenerId: resetting, at: b },
    ].map(({ ListenerId, at }) => ({ ListenerId, EniIp: at.address, Port: at.port }))
    await cloud.clb.BatchDeregisterTargets({ LoadBalancerId: id, Targets: targets })
    await ended
    const echoed = new Promise((resolve) => kept.socket.once('data', (chunk) => resolve(String(chunk))))
    kept.socket.write('still')
    expect(await echoed).toBe('still')
    kept.socket.destroy()
    expect(await firstLine(vip, 8001)).toBe('')
  })

  it('of UDP goes to every target, and avoids one that is gone', async () => {
    const { id, vip } = await loadBalancer()
    const at = await listener(id, 'UDP', 8001)
    const [a, b] = [await up(udpBackend('a')), await up(udpBackend('b'))]
    await register(id, at, [{ at: a }, { at: b }])
    expect(count(await times(10, () => datagramAnswer(vip, 8001)))).toEqual({ a: 5, b: 5 })
    await cloud.clb.BatchDeregisterTargets({ LoadBalancerId: id, Targets: [{ ListenerId: at, EniIp: a.address, Port: a.port }] })
    expect(count(await times(4, () => datagramAnswer(vip, 8001)))).toEqual({ b: 4 })
  })

  it('leaves a target that fails its checks, comes back, and goes to all when all fail', async () => {
    const { id, vip } = await loadBalancer()
    const at = await listener(id, 'TCP', 8001, { HealthCheck: { IntervalTime: 2, TimeOut: 2, HealthNum: 2, UnHealthNum: 2 } })
    const [a, b] = [await tcpBackend('a'), await up(tcpBackend('b'))]
    await register(id, at, [{ at: a }, { at: b }])
    await expect.poll(() => healthOf(id)).toEqual(['Alive', 'Alive'])
    await a.stop()
    await expect.poll(() => healthOf(id)).toEqual(['Dead', 'Alive'])
    expect(count(await times(6, () => firstLine(vip, 8001)))).toEqual({ b: 6 })
    const back = await up(tcpBackend('a', { port: a.port }))
    await expect.poll(() => healthOf(id)).toEqual(['Alive', 'Alive'])
    expect(count(await times(6, () => firstLine(vip, 8001)))).toEqual({ a: 3, b: 3 })
    await back.stop()
    await expect.poll(() => healthOf(id)).toEqual(['Dead', 'Alive'])
    await cloud.done(
      await cloud.clb.ModifyListener({
        LoadBalancerId: id,
        ListenerId: at,
        HealthCheck: { CheckType: 'HTTP', HttpCheckDomain: 'x', HttpVersion: 'HTTP/1.1' },
      }),
    )
    await expect.poll(() => healthOf(id)).toEqual(['Dead', 'Dead'])
    expect(await firstLine(vip, 8001)).toBe('b')
  })

  it('of TCP_SSL is decrypted on the way', async () => {
    const { id, vip } = await loadBalancer()
    const at = await listener(id, 'TCP_SSL', 8443, { Certificate: { SSLMode: 'UNIDIRECTIONAL', CertId: 'cert-a' } })
    await register(id, at, [{ at: await up(tcpBackend('a')) }])
    const text = await new Promise((resolve, reject) => {
      const socket = tlsConnect({ host: vip, port: 8443, rejectUnauthorized: false, servername: 'a.example.com' })
      socket.once('error', reject).once('data', (chunk) => {
        resolve(`${socket.getPeerCertificate().subject.CN} ${String(chunk)}`)
        socket.destroy()
      })
    })
    expect(text).toBe('a.example.com a\n')
  })

  it('of HTTP and HTTPS goes by domain and path, by curl', async () => {
    const { id, vip } = await loadBalancer()
    const http = await listener(id, 'HTTP', 8080)
    const https = await listener(id, 'HTTPS', 8443, { Certificate: { SSLMode: 'UNIDIRECTIONAL', CertId: 'cert-a' } })
    const answer = await cloud.clb.CreateRule({
      LoadBalancerId: id,
      ListenerId: http,
      Rules: [
        { Domain: 'a.example.com', Url: '/' },
        { Domain: 'a.example.com', Url: '/api', HealthCheck: { HttpCheckPath: '/broken', HttpCode: 2, IntervalTime: 2 } },
        { Domain: 'b.example.com', Url: '/', SessionExpireTime: 60 },
      ],
    })
    await cloud.done(answer)
    const secure = await cloud.clb.CreateRule({
      LoadBalancerId: id,
      ListenerId: https,
      Rules: [{ Domain: 'a.example.com', Url: '/' }],
    })
    await cloud.done(secure)
    const [root = '', api = '', other = ''] = answer.LocationIds ?? []
    const [a, b, c] = [await up(httpBackend('a')), await up(httpBackend('b')), await up(httpBackend('c'))]
    await register(
      id,
      http,
      [
        { at: a, weight: 3 },
        { at: b, weight: 1 },
      ],
      root,
    )
    await register(id, http, [{ at: c }], api)
    await register(id, http, [{ at: a }, { at: b }], other)
    await register(id, https, [{ at: c }], secure.LocationIds?.[0])
    const curl = async (...args: string[]): Promise<string> => (await run('curl', ['-sS', '--max-time', '5', ...args])).stdout
    const on = (host: string, port: number): string => `${host}:${port}:${vip}`
    const answers = await times(8, () => curl('--resolve', on('a.example.com', 8080), 'http://a.example.com:8080/x'))
    expect(count(answers.map((text) => text.split(' ')[0] ?? ''))).toEqual({ a: 6, b: 2 })
    expect(await curl('--resolve', on('a.example.com', 8080), 'http://a.example.com:8080/api/x')).toMatch(/^c .*\/api\/x/)
    // An unknown host goes to the default domain, which is the first one.
    expect(await curl(`http://${vip}:8080/api`)).toMatch(/^c /)
    expect(await curl('-k', '--resolve', on('a.example.com', 8443), 'https://a.example.com:8443/')).toMatch(/^c a\.example\.com/)
    const sticky = await curl('-i', '--resolve', on('b.example.com', 8080), 'http://b.example.com:8080/')
    const cookie = /^set-cookie: (tgw_l7_route=[^;]+);.*Max-Age=60/im.exec(sticky)?.[1] ?? ''
    expect(cookie).not.toBe('')
    const followers = await times(6, () =>
      curl('-b', cookie, '--resolve', on('b.example.com', 8080), 'http://b.example.com:8080/'),
    )
    expect(new Set(followers.map((text) => text[0]))).toEqual(new Set([sticky.trim().split('\n').pop()?.[0]]))
    // Its check wants 2xx where the backend says 500; as all targets of the rule are dead, traffic goes on.
    await expect.poll(() => healthOf(id)).toEqual(['Alive', 'Alive', 'Dead', 'Alive', 'Alive', 'Alive'])
  })

  it('is redirected from HTTP to HTTPS by AutoRewrite, and curl -L arrives', async () => {
    const { id, vip } = await loadBalancer()
    const https = await listener(id, 'HTTPS', 443, { SniSwitch: 1 })
    const rules = await cloud.clb.CreateRule({
      LoadBalancerId: id,
      ListenerId: https,
      Rules: [{ Domain: 'a.example.com', Url: '/', Certificate: { SSLMode: 'UNIDIRECTIONAL', CertId: 'cert-a' } }],
    })
    await cloud.done(rules)
    await register(id, https, [{ at: await up(httpBackend('a')) }], rules.LocationIds?.[0])
    await cloud.done(
      await cloud.clb.AutoRewrite({
        LoadBalancerId: id,
        ListenerId: https,
        Domains: ['a.example.com'],
        RewriteCodes: [301],
        TakeUrls: [true],
      }),
    )
    const { RewriteSet = [] } = await cloud.clb.DescribeRewrite({ LoadBalancerId: id })
    expect(RewriteSet).toMatchObject([
      { BeAutoCreated: true, RewriteTarget: { TargetLocationId: rules.LocationIds?.[0], RewriteCode: 301, RewriteType: 'Auto' } },
    ])
    const ports = await listenPorts(id)
    const resolve = ports.flatMap(({ port }) => ['--resolve', `a.example.com:${port}:${vip}`])
    const http = ports.find(({ protocol }) => protocol === 'HTTP')?.port
    const { stdout } = await run('curl', [
      '-sSkL',
      '--max-time',
      '5',
      '-w',
      '%{num_redirects}',
      ...resolve,
      `http://a.example.com:${http}/deep?q=1`,
    ])
    expect(stdout).toMatch(/^a a\.example\.com(:\d+)? \/deep\?q=1\n1$/)
  })

  const listenPorts = async (id: string): Promise<readonly { readonly protocol: string; readonly port: number }[]> => {
    const { body } = await cloud.control('GET', '/state')
    const { loadBalancers } = body as {
      loadBalancers: readonly { id: string; listeners: readonly { protocol: string; listening: string }[] }[]
    }
    const found = loadBalancers.find((one) => one.id === id)?.listeners ?? []
    return found.map(({ protocol, listening }) => ({ protocol, port: Number(listening.split(':').pop()) }))
  }

  it('cannot have a port that another process holds: the task fails, and nothing is left', async () => {
    const { id, vip } = await loadBalancer()
    const holder = await up(tcpBackend('holder', { address: vip, port: 8001 }))
    const answer = await cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [8000, 8001], Protocol: 'TCP' })
    await expect(cloud.done(answer)).rejects.toThrow(/PortNotAvailable.*8001 is in use/)
    expect((await cloud.clb.DescribeListeners({ LoadBalancerId: id })).TotalCount).toBe(0)
    await holder.stop()
    await cloud.done(await cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [8000, 8001], Protocol: 'TCP' }))
  })
})

it('a listener whose port was taken over a restart is kept, and says why it does not listen', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fairway-cloud-'))
  const first = await startCloud({ dataDir })
  const made = await first.clb.CreateLoadBalancer({ LoadBalancerType: 'OPEN' })
  await first.done(made)
  const LoadBalancerId = made.LoadBalancerIds?.[0] ?? ''
  const { LoadBalancerSet } = await first.clb.DescribeLoadBalancers({})
  const vip = LoadBalancerSet?.[0]?.LoadBalancerVips?.[0] ?? ''
  await first.done(await first.clb.CreateListener({ LoadBalancerId, Ports: [8001], Protocol: 'HTTP' }))
  await first.stop()
  const holder = await tcpBackend('holder', { address: vip, port: 8001 })
  const second = await startCloud({ dataDir })
  expect((await second.clb.DescribeListeners({ LoadBalancerId })).TotalCount).toBe(1)
  expect((await second.control('GET', '/state')).text).toContain(`${vip}:8001 is in use by another process`)
  await holder.stop()
  await second.done(await second.clb.ModifyLoadBalancerAttributes({ LoadBalancerId, LoadBalancerName: 'again' }))
  await expect.poll(async () => (await second.control('GET', '/state')).text).toContain(`"listening":"${vip}:8001"`)
  await second.stop()
  await rm(dataDir, { recursive: true })
})

const open = (address: string, port: number): Promise<{ readonly socket: net.Socket; readonly name: string }> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, address)
    socket.once('error', reject).once('data', (chunk) => {
      socket.off('error', reject).on('error', () => {})
      resolve({ socket, name: String(chunk).trim() })
    })
  })
