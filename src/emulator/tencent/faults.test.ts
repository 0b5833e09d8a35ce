import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startCloud, type TestCloud } from './testing/cloud.ts'

describe('faults', () => {
  let cloud: TestCloud
  beforeAll(async () => {
    cloud = await startCloud({ isForwarding: false, callsPerSecond: 0 })
  })
  afterEach(async () => {
    await cloud.control('DELETE', '/faults')
    await cloud.control('DELETE', '/calls')
  })
  afterAll(() => cloud.stop())

  const fault = async (body: object): Promise<void> => {
    expect((await cloud.control('POST', '/faults', body)).status).toBe(201)
  }
  const create = () => cloud.clb.CreateLoadBalancer({ LoadBalancerType: 'OPEN' })
  const total = async (): Promise<number> => (await cloud.clb.DescribeLoadBalancers({})).TotalCount ?? 0
  const code = (code: string) => expect.objectContaining({ code })

  it('throttle and error meet the calls that they are for, as often as they say', async () => {
    await fault({ kind: 'throttle', action: 'DescribeQuota', times: 2, after: 1 })
    await fault({
      kind: 'error',
      action: 'CreateLoadBalancer',
      code: 'FailedOperation.NoBalance',
      message: 'no credit',
      times: 1,
    })
    await cloud.clb.DescribeQuota()
    await expect(cloud.clb.DescribeQuota()).rejects.toEqual(code('RequestLimitExceeded'))
    await expect(cloud.clb.DescribeQuota()).rejects.toEqual(code('RequestLimitExceeded'))
    await cloud.clb.DescribeQuota()
    await expect(create()).rejects.toThrow('no credit')
    const { body } = await cloud.control('GET', '/calls')
    expect(body).toMatchObject({
      actions: { DescribeQuota: { calls: 4, errors: { RequestLimitExceeded: 2 } }, CreateLoadBalancer: { calls: 1 } },
    })
  })

  it('lose-response does what was asked for; drop-request does not', async () => {
    const before = await total()
    await fault({ kind: 'lose-response', action: 'CreateLoadBalancer', times: 1 })
    await expect(create()).rejects.toThrow()
    expect(await total()).toBe(before + 1)
    await fault({ kind: 'drop-request', action: 'CreateLoadBalancer', times: 1 })
    await expect(create()).rejects.toThrow()
    expect(await total()).toBe(before + 1)
  })

  it('fail-task accepts, and fails in the end', async () => {
    const before = await total()
    await fault({ kind: 'fail-task', action: 'CreateLoadBalancer', times: 1, message: 'no capacity' })
    const answer = await create()
    await expect(cloud.done(answer)).rejects.toThrow('no capacity')
    expect(await total()).toBe(before)
  })

  it('partial fails listeners of a batch', async () => {
    const made = await create()
    await cloud.done(made)
    const LoadBalancerId = made.LoadBalancerIds?.[0] ?? ''
    const listeners = await cloud.clb.CreateListener({ LoadBalancerId, Ports: [1, 2], Protocol: 'TCP' })
    await cloud.done(listeners)
    await fault({ kind: 'partial', listeners: 1, times: 1 })
    const Targets = (listeners.ListenerIds ?? []).map((ListenerId, n) => ({ ListenerId, EniIp: '10.0.0.1', Port: n + 1 }))
    // A fault with a number of times is used up by the first call that it meets.
    expect((await cloud.clb.BatchRegisterTargets({ LoadBalancerId, Targets })).FailListenerIdSet).toEqual(
      listeners.ListenerIds?.slice(0, 1),
    )
    expect((await cloud.clb.BatchRegisterTargets({ LoadBalancerId, Targets })).FailListenerIdSet).toEqual([])
  })

  it('latency delays the answer, outage has none', async () => {
    await fault({ kind: 'latency', ms: 150, times: 1 })
    const began = performance.now()
    await cloud.clb.DescribeQuota()
    expect(performance.now() - began).toBeGreaterThanOrEqual(149)
    await fault({ kind: 'outage' })
    await expect(cloud.clb.DescribeQuota()).rejects.toMatchObject({ httpCode: 503 })
  })

  it.each([
    ['an unknown kind', { kind: 'nope' }],
    ['an unknown field', { kind: 'outage', x: 1 }],
    ['a wrong probability', { kind: 'outage', probability: 2 }],
    ['no object', 'x'],
  ])('%s is refused', async (_what, body) => {
    expect((await cloud.control('POST', '/faults', body)).status).toBe(400)
  })
})

describe('the rate limit', () => {
  it('refuses the 21st call of an action within a second, and counts no refused call', async () => {
    const cloud = await startCloud({ isForwarding: false, callsPerSecond: 20 })
    const results = await Promise.allSettled(Array.from({ length: 30 }, () => cloud.clb.DescribeQuota()))
    const refused = results.filter(({ status }) => status === 'rejected')
    expect(refused.length).toBe(10)
    expect(await cloud.clb.DescribeLoadBalancers({})).toMatchObject({ TotalCount: 0 })
    await cloud.stop()
  })
})

describe('the page', () => {
  it('shows what there is, escaped, and no scripts; it is not read through a foreign name', async () => {
    const cloud = await startCloud({ isForwarding: false })
    const name = '<script>alert(1)</script>'
    const made = await cloud.clb.CreateLoadBalancer({
      LoadBalancerType: 'OPEN',
      LoadBalancerName: name,
      Tags: [{ TagKey: '"><b', TagValue: '&' }],
    })
    await cloud.done(made)
    const { text, status } = await cloud.control('GET', '/')
    expect(status).toBe(200)
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(text).toContain('&quot;&gt;&lt;b=&amp;')
    expect(text).not.toMatch(/<script|<b[>=]/)
    const { request } = await import('node:http')
    const foreign = await new Promise((resolve) => {
      request(`${cloud.url}/_emulator/`, { headers: { host: 'evil.example' } }, (response) =>
        resolve(response.resume().statusCode),
      ).end()
    })
    expect(foreign).toBe(403)
    const plain = await fetch(`${cloud.url}/_emulator/faults`, { method: 'POST', body: '{"kind":"outage"}' })
    expect(plain.status).toBe(415)
    await cloud.stop()
  })
})
