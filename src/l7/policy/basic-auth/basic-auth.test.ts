import { createHash } from 'node:crypto'
import { hashSync } from 'bcryptjs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Answer, RequestView } from '../contract.ts'
import { request } from '../testing/request.ts'
import { type Authenticate, compileBasicAuth } from './basic-auth.ts'
import { Hasher } from './hasher.ts'

const hasher = new Hasher()
afterAll(() => hasher.close())

const sha = (password: string): string => `{SHA}${createHash('sha1').update(password).digest('base64')}`
const users = new Map([
  ['ann', hashSync('secret', 4)],
  ['bob', sha('swordfish')],
])
const as = (user: string, password: string, clientAddress = '192.0.2.7'): RequestView =>
  request({ clientAddress, fields: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } })
const ask = (authenticate: Authenticate, view: RequestView): Promise<Answer | undefined> =>
  new Promise((resolve) => authenticate(view, resolve))
const isAtOnce = (authenticate: Authenticate, view: RequestView): boolean => {
  let isDone = false
  authenticate(view, () => {
    isDone = true
  })
  return isDone
}

describe('basic authentication', () => {
  it.each([
    ['ann', 'secret', undefined],
    ['bob', 'swordfish', undefined],
    ['ann', 'swordfish', 401],
    ['bob', 'secret', 401],
    ['bob', '', 401],
    ['eve', 'secret', 401],
    ['eve', 'swordfish', 401],
  ])('%s with %s: %s', async (user, password, status) => {
    const authenticate = compileBasicAuth({ realm: 'shop', users }, hasher)
    expect((await ask(authenticate, as(user, password)))?.status).toBe(status)
  })

  it('asks for credentials in the realm', async () => {
    const authenticate = compileBasicAuth({ realm: 'my "shop"\r\nX: \\', users }, hasher)
    expect(await ask(authenticate, request())).toMatchObject({
      status: 401,
      reason: 'authentication-required',
      fields: 'WWW-Authenticate: Basic realm="my \\"shop\\"X: \\\\"\r\n',
    })
  })

  it('lets nobody in where there are no users', async () => {
    const authenticate = compileBasicAuth({ realm: 'shop', users: new Map() }, hasher)
    expect(await ask(authenticate, as('ann', 'secret'))).toMatchObject({ status: 401 })
  })

  it('remembers what was right, and only that', async () => {
    const authenticate = compileBasicAuth({ realm: 'shop', users }, hasher)
    expect(isAtOnce(authenticate, as('bob', 'swordfish'))).toBe(false)
    await ask(authenticate, as('bob', 'swordfish'))
    expect(isAtOnce(authenticate, as('bob', 'swordfish'))).toBe(true)
    await ask(authenticate, as('bob', 'wrong'))
    expect(isAtOnce(authenticate, as('bob', 'wrong'))).toBe(false)
    expect(isAtOnce(compileBasicAuth({ realm: 'shop', users }, hasher), as('bob', 'swordfish'))).toBe(false)
  })

  it('checks the same credentials once for many requests', async () => {
    const slow = new Map([['ann', hashSync('secret', 8)]])
    const authenticate = compileBasicAuth({ realm: 'shop', users: slow }, hasher)
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(authenticate, as('ann', 'secret'))))
    expect(answers.every((answer) => answer === undefined)).toBe(true)
  })

  it('does not call a cancelled request, and others go on', async () => {
    const authenticate = compileBasicAuth({ realm: 'shop', users }, hasher)
    let isCalled = false
    const other = ask(authenticate, as('ann', 'secret'))
    authenticate(as('ann', 'secret'), () => {
      isCalled = true
    })()
    expect(await other).toBeUndefined()
    expect(isCalled).toBe(false)
  })

  it('lets a flood of wrong passwords wait for itself: others get in, and the event loop runs on', async () => {
    const slow = new Map([['ann', hashSync('secret', 10)]])
    const authenticate = compileBasicAuth({ realm: 'shop', users: slow }, hasher)
    const flood = Array.from({ length: 500 }, (_, i) => ask(authenticate, as('ann', `wrong${i}`, '198.51.100.1')))
    const before = performance.eventLoopUtilization()
    expect(await ask(authenticate, as('ann', 'secret'))).toBeUndefined()
    const answers = await Promise.all(flood)
    const { utilization } = performance.eventLoopUtilization(before)
    expect(answers.filter((answer) => answer?.status === 503 && answer.reason === 'authentication-busy').length).toBeGreaterThan(
      480,
    )
    expect(answers.every((answer) => answer !== undefined)).toBe(true)
    expect(utilization).toBeLessThan(0.5)
  })

  it('lets nobody in when the thread ends, and starts another', async () => {
    const own = new Hasher()
    const slow = new Map([['ann', hashSync('secret', 10)]])
    const authenticate = compileBasicAuth({ realm: 'shop', users: slow }, own)
    const answer = ask(authenticate, as('ann', 'secret'))
    await own.close()
    expect(await answer).toMatchObject({ status: 500, reason: 'authentication-failed' })
    expect(await ask(authenticate, as('ann', 'secret'))).toBeUndefined()
    await own.close()
  })
})
