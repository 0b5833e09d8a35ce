import { Agent, request } from 'node:http'
import { expect, it } from 'vitest'
import { httpBackend } from './testing/backends.ts'
import { startCloud } from './testing/cloud.ts'

const REPLACEMENTS = 40
const CLIENTS = 4

/** One request; rejects when it fails in any way. */
const ask = (host: string, port: number, agent: Agent | false): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ host, port, agent, path: '/' }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', reject).end()
  })

it('targets are replaced under load, weight 0 first, without a failed request at layer 4 and layer 7', async () => {
  const cloud = await startCloud()
  const made = await cloud.clb.CreateLoadBalancer({ LoadBalancerType: 'OPEN' })
  await cloud.done(made)
  const LoadBalancerId = made.LoadBalancerIds?.[0] ?? ''
  const { LoadBalancerSet } = await cloud.clb.DescribeLoadBalancers({})
  const vip = LoadBalancerSet?.[0]?.LoadBalancerVips?.[0] ?? ''
  const [tcp, http] = [
    await cloud.clb
      .CreateListener({ LoadBalancerId, Ports: [8001], Protocol: 'TCP' })
      .then((answer) => cloud.done(answer).then(() => answer)),
    await cloud.clb
      .CreateListener({ LoadBalancerId, Ports: [8002], Protocol: 'HTTP' })
      .then((answer) => cloud.done(answer).then(() => answer)),
  ].map((answer) => answer.ListenerIds?.[0] ?? '')
  const rule = await cloud.clb.CreateRule({ LoadBalancerId, ListenerId: http ?? '', Rules: [{ Url: '/' }] })
  await cloud.done(rule)
  const bound = (port: number, Weight?: number) => [
    { ListenerId: tcp ?? '', EniIp: '127.0.0.1', Port: port, ...(Weight !== undefined && { Weight }) },
    {
      ListenerId: http ?? '',
      LocationId: rule.LocationIds?.[0] ?? '',
      EniIp: '127.0.0.1',
      Port: port,
      ...(Weight !== undefined && { Weight }),
    },
  ]
  const register = async (port: number): Promise<void> => {
    const { FailListenerIdSet } = await cloud.clb.BatchRegisterTargets({ LoadBalancerId, Targets: bound(port, 10) })
    expect(FailListenerIdSet).toEqual([])
  }
  const living = [await httpBackend('0'), await httpBackend('1')]
  for (const { port } of living) await register(port)

  const keepAlive = new Agent({ keepAlive: true })
  const answered = { ok: 0, inFlight: new Set<Promise<unknown>>() }
  const failures: unknown[] = []
  let isOver = false
  const clients = Array.from({ length: CLIENTS }, async (_, n) => {
    while (!isOver) {
      const one = n % 2 === 0 ? ask(vip, 8001, false) : ask(vip, 8002, keepAlive)
      answered.inFlight.add(one)
      await one.then(
        (status) => (status === 200 ? answered.ok++ : failures.push(status)),
        (error) => failures.push(error),
      )
      answered.inFlight.delete(one)
    }
  })
  for (let n = 0; n < REPLACEMENTS; n++) {
    const next = await httpBackend(String(n + 2))
    await register(next.port)
    const old = living.shift()
    if (old === undefined) throw new Error('no backend is left')
    living.push(next)
    const ModifyList = bound(old.port).map(({ EniIp, Port, ...place }) => ({ ...place, Targets: [{ EniIp, Port, Weight: 0 }] }))
    await cloud.done(await cloud.clb.BatchModifyTargetWeight({ LoadBalancerId, ModifyList }))
    // What was sent to the old one before its weight was 0 ends; nothing new comes.
    await Promise.allSettled(answered.inFlight)
    await cloud.clb.BatchDeregisterTargets({ LoadBalancerId, Targets: bound(old.port) })
    await old.stop()
  }
  isOver = true
  await Promise.all(clients)
  keepAlive.destroy()
  await Promise.all(living.map((one) => one.stop()))
  await cloud.stop()
  expect(failures).toEqual([])
  expect(answered.ok).toBeGreaterThan(REPLACEMENTS * CLIENTS)
}, 60_000)
