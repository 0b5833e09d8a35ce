import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { type CloudClient, type CloudClientOptions, createCloudClient } from './client.ts'
import { createCredentials } from './credentials.ts'
import { CloudError } from './errors.ts'
import type { PlacedTarget } from './model.ts'

type Handler = (action: string, params: Readonly<Record<string, unknown>>, answer: Answers) => void

interface Answers {
  ok(response?: Readonly<Record<string, unknown>>): void
  error(code: string, message?: string): void
  cut(): void
  raw(status: number, text: string): void
  never(): void
}

interface Seen {
  readonly action: string
  readonly params: Readonly<Record<string, unknown>>
  readonly at: number
}

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

const SECRETS = { secretId: 'AKIDveryhidden', secretKey: 'keyveryhidden', token: 'tokenveryhidden' }
const NEVER = new AbortController().signal

const rig = async (handler: Handler, options: Partial<CloudClientOptions> = {}) => {
  const seen: Seen[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const action = String(request.headers['x-tc-action'])
    const params = JSON.parse(Buffer.concat(parts).toString())
    seen.push({ action, params, at: performance.now() })
    const send = (body: object): void =>
      void response.end(JSON.stringify({ Response: { ...body, RequestId: `req-${seen.length}` } }))
    handler(action, params, {
      ok: (body = {}) => send(body),
      error: (Code, Message = '') => send({ Error: { Code, Message } }),
      cut: () => void request.socket.destroy(),
      raw: (status, text) => void response.writeHead(status).end(text),
      never: () => {},
    })
  }
  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client: CloudClient = createCloudClient({
    region: 'ap-guangzhou',
    credentials: createCredentials(SECRETS),
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    limits: { perSecond: 1_000 },
    ...options,
  })
  cleanups.push(async () => {
    await client.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { api: client.api, seen, actions: () => seen.map(({ action }) => action) }
}

/** Tasks end at once. */
const withTasks =
  (handler: Handler): Handler =>
  (action, params, answer) =>
    action === 'DescribeTaskStatus' ? answer.ok({ Status: 0 }) : handler(action, params, answer)

const failureOf = async (promise: Promise<unknown>): Promise<CloudError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof CloudError)) throw new Error(`no CloudError: ${String(error)}`)
  return error
}

const target = (listenerId: string, port: number, locationId?: string): PlacedTarget => ({
  listenerId,
  kind: 'instance',
  id: 'ins-1',
  port,
  weight: 10,
  ...(locationId === undefined ? {} : { locationId }),
})

describe('calls', () => {
  it.each([
    ['LimitExceeded', 'quota'],
    ['ResourceInsufficient', 'quota'],
    ['FailedOperation.BalanceInsufficient', 'quota'],
    ['InvalidParameter.FormatError', 'refused'],
    ['InvalidParameterValue.Length', 'refused'],
    ['MissingParameter', 'refused'],
    ['UnauthorizedOperation', 'refused'],
    ['AuthFailure.SignatureFailure', 'refused'],
    ['InvalidParameter.ListenerIdNotFound', 'gone'],
    ['FailedOperation', 'failed'],
  ])('reads %s as %s, and asks once', async (code, failure) => {
    const { api, seen } = await rig((_, __, answer) => answer.error(code, 'because'))
    const error = await failureOf(api.deleteListeners('lb-1', ['lbl-1'], NEVER))
    expect(error).toMatchObject({ failure, code, message: `DeleteLoadBalancerListeners: ${code}: because` })
    expect(seen).toHaveLength(1)
  })

  it('waits and repeats when the API says that it is too much, a few times only', async () => {
    let left = 1
    const { api, actions } = await rig(
      withTasks((_, __, answer) => (left-- > 0 ? answer.error('RequestLimitExceeded') : answer.ok())),
    )
    await api.deleteListeners('lb-1', ['lbl-1'], NEVER)
    expect(actions()).toEqual(['DeleteLoadBalancerListeners', 'DeleteLoadBalancerListeners', 'DescribeTaskStatus'])
  })

  it('repeats a write that found the load balancer busy', async () => {
    let left = 2
    const { api, actions } = await rig(
      withTasks((_, __, answer) => (left-- > 0 ? answer.error('FailedOperation.ResourceInOperating') : answer.ok())),
    )
    await api.modifyListener('lb-1', 'lbl-1', {}, NEVER)
    expect(actions().filter((action) => action === 'ModifyListener')).toHaveLength(3)
  })

  it('repeats a read whose answer is lost, and no write', async () => {
    let left = 1
    const { api, seen } = await rig((_, __, answer) =>
      left-- > 0 ? answer.cut() : answer.ok({ LoadBalancerSet: [], TotalCount: 0 }),
    )
    expect(await api.loadBalancer('lb-1', NEVER)).toBeUndefined()
    expect(seen).toHaveLength(2)
    left = 1
    expect((await failureOf(api.deleteListeners('lb-1', ['lbl-1'], NEVER))).failure).toBe('unavailable')
    expect(seen).toHaveLength(3)
  })

  it('repeats a creation whose answer is lost, with the same token', async () => {
    let left = 1
    const { api, seen } = await rig((_, __, answer) => (left-- > 0 ? answer.cut() : answer.ok({ LoadBalancerIds: ['lb-7'] })))
    expect(await api.createLoadBalancer({ ClientToken: 't', LoadBalancerType: 'OPEN' }, NEVER)).toBe('lb-7')
    expect(seen.map(({ params }) => params['ClientToken'])).toEqual(['t', 't'])
  })

  it('asks the task for the id of a slow creation', async () => {
    let polls = 0
    const { api } = await rig((action, params, answer) => {
      if (action === 'CreateLoadBalancer') return answer.ok({ LoadBalancerIds: [], DealName: 'deal-1' })
      expect(params).toEqual({ DealName: 'deal-1' })
      return answer.ok(++polls < 3 ? { Status: 2 } : { Status: 0, LoadBalancerIds: ['lb-9'] })
    })
    expect(await api.createLoadBalancer({ ClientToken: 't' }, NEVER)).toBe('lb-9')
  })

  it('rejects when a task fails late', async () => {
    let polls = 0
    const { api } = await rig((action, _, answer) => {
      if (action !== 'DescribeTaskStatus') return answer.ok()
      return answer.ok(++polls < 3 ? { Status: 2 } : { Status: 1, Message: 'out of space' })
    })
    expect(await failureOf(api.deleteLoadBalancer('lb-1', NEVER))).toMatchObject({
      failure: 'failed',
      message: 'DeleteLoadBalancer: its task failed: out of space',
    })
  })

  it('gives up on a task that does not end', async () => {
    const { api } = await rig((action, _, answer) => answer.ok(action === 'DescribeTaskStatus' ? { Status: 2 } : {}), {
      taskTimeoutMs: 200,
    })
    expect((await failureOf(api.deleteLoadBalancer('lb-1', NEVER))).failure).toBe('unavailable')
  })

  it('gives up on an answer that does not come', async () => {
    const { api } = await rig((_, __, answer) => answer.never(), { timeoutMs: 100 })
    expect(await failureOf(api.deleteListeners('lb-1', ['lbl-1'], NEVER))).toMatchObject({
      failure: 'unavailable',
      message: 'DeleteLoadBalancerListeners: no answer within 100 ms',
    })
  })

  it('ends at once when it is aborted', async () => {
    const { api } = await rig((_, __, answer) => answer.never())
    const stop = new AbortController()
    const call = api.deleteListeners('lb-1', ['lbl-1'], stop.signal)
    stop.abort(new Error('the end'))
    await expect(call).rejects.toThrow('the end')
  })

  it.each([
    ['no JSON', 200, 'hello'],
    ['something else', 200, '{"Response":7}'],
    ['HTTP 503', 503, '{}'],
  ])('reads %s as no answer', async (_title, status, text) => {
    const { api } = await rig((_, __, answer) => answer.raw(status, text))
    expect((await failureOf(api.deleteListeners('lb-1', ['lbl-1'], NEVER))).failure).toBe('unavailable')
  })

  it('does one write at a time for each load balancer, and several for several', async () => {
    const running = new Map<string, number>()
    let most = 0
    const { api } = await rig((action, params, answer) => {
      if (action === 'DescribeTaskStatus') {
        for (const [id, count] of running) running.set(id, count - 1)
        return answer.ok({ Status: 0 })
      }
      const id = String(params['LoadBalancerId'])
      running.set(id, (running.get(id) ?? 0) + 1)
      most = Math.max(most, running.get(id) ?? 0)
      return answer.ok()
    })
    await Promise.all([1, 2, 3, 4].map((n) => api.modifyListener('lb-1', `lbl-${n}`, {}, NEVER)))
    expect(most).toBe(1)
  })

  it('keeps to the calls a second of each action', async () => {
    const { api, seen } = await rig((_, __, answer) => answer.ok({ LoadBalancerSet: [], TotalCount: 0 }), {
      limits: { perSecond: 50 },
    })
    await Promise.all(Array.from({ length: 10 }, (_, n) => api.listListeners(`lb-${n}`, NEVER)))
    const gaps = seen.slice(1).map(({ at }, index) => at - (seen[index]?.at ?? 0))
    expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBeGreaterThan(170)
  })
})

describe('batches', () => {
  it('are cut to what the API takes', async () => {
    const { api, seen } = await rig(withTasks((_, __, answer) => answer.ok({ FailListenerIdSet: [] })))
    const targets = Array.from({ length: 1_201 }, (_, index) => target(`lbl-${index % 3}`, index + 1))
    await api.registerTargets('lb-1', targets, NEVER)
    const sizes = seen.map(({ params }) => (params['Targets'] as unknown[]).length)
    expect(sizes).toEqual([500, 500, 201])
    seen.length = 0
    await api.modifyWeights('lb-1', targets, NEVER)
    const lists = seen.flatMap(({ params }) =>
      params['ModifyList'] === undefined ? [] : [params['ModifyList'] as { readonly Targets: unknown[] }[]],
    )
    expect(lists.flat().every(({ Targets }) => Targets.length <= 50)).toBe(true)
    expect(lists.every((list) => list.length <= 100 && list.reduce((sum, { Targets }) => sum + Targets.length, 0) <= 500)).toBe(
      true,
    )
    expect(lists.flat().reduce((sum, { Targets }) => sum + Targets.length, 0)).toBe(1_201)
  })

  it('tell which listeners failed', async () => {
    const { api } = await rig(withTasks((_, __, answer) => answer.ok({ FailListenerIdSet: ['lbl-2'], Message: 'full' })))
    const failures = await api.registerTargets('lb-1', [target('lbl-1', 1), target('lbl-2', 2)], NEVER)
    expect([...failures]).toEqual([['lbl-2', 'BatchRegisterTargets: full']])
  })

  it('of no listeners are not sent: the API would delete all', async () => {
    const { api, seen } = await rig((_, __, answer) => answer.ok())
    await api.deleteListeners('lb-1', [], NEVER)
    expect(seen).toEqual([])
  })
})

describe('credentials', () => {
  const hidden = Object.values(SECRETS)
  const clean = (text: string): void => {
    for (const secret of hidden) expect(text).not.toContain(secret)
  }

  it('are in no print and no serialisation', () => {
    const credentials = createCredentials(SECRETS)
    clean(inspect(credentials, { depth: 9, showHidden: true }) + JSON.stringify(credentials) + String(credentials))
  })

  it('are in no error, whatever the API says', async () => {
    const { api } = await rig((_, __, answer) => answer.error('AuthFailure.SecretIdNotFound', `no ${hidden.join(' ')}`))
    const refused = await failureOf(api.deleteListeners('lb-1', ['lbl-1'], NEVER))
    const lost = await rig((_, __, answer) => answer.cut())
    const unavailable = await failureOf(lost.api.deleteListeners('lb-1', ['lbl-1'], NEVER))
    for (const error of [refused, unavailable]) clean(inspect(error, { depth: 9, showHidden: true }) + error.stack)
  })
})
