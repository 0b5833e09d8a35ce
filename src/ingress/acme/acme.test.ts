import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError, type Ingress, ingressKind, type Secret, secretKind } from '../../api/index.ts'
import { ingress } from '../../api/testing/index.ts'
import { type Clock, type Logger, realClock } from '../../base/index.ts'
import { type Leadership, soleLeader } from '../../client/index.ts'
import { type FakeApi, fakeApi } from '../../client/testing/index.ts'
import { defaultBackoff } from './backoff.ts'
import {
  freePort,
  missingPebble,
  type Pebble,
  type Replica,
  type ReplicaOptions,
  startPebble,
  startReplica,
  type ToldEvent,
} from './testing/index.ts'

const run = promisify(execFile)
const soon = { firstMs: 100, factor: 1, mostMs: 100 }
const never = { firstMs: 3_600_000, factor: 1, mostMs: 3_600_000 }

/** Leadership that a test gives and takes. */
const leadershipOf = (isLeader: boolean): Leadership & { set(isLeader: boolean): void } => {
  const handlers = new Set<(isLeader: boolean) => void>()
  const leadership = {
    isLeader,
    holder: undefined,
    onChange(handler: (isLeader: boolean) => void) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
    set(next: boolean) {
      leadership.isLeader = next
      for (const handler of handlers) handler(next)
    },
  }
  return leadership
}

const site = (name: string, ...hosts: readonly string[]): Ingress => {
  const built = hosts
    .reduce((each, host) => each.host(host, { '/': 'web:80' }), ingress(name))
    .tls(name, ...hosts)
    .build()
  const annotations = { 'kubernetes.io/ingress.class': 'fairway', 'fairway.dev/acme': 'true' }
  return { ...built, metadata: { ...built.metadata, annotations } }
}

if (missingPebble !== undefined) console.log(`certificates from an ACME server are not tested: ${missingPebble}`)

describe.skipIf(missingPebble !== undefined)('certificates from pebble', { timeout: 60_000 }, () => {
  let httpPort: number
  let pebble: Pebble
  let api: FakeApi
  let events: ToldEvent[]
  let logged: string[]
  let offsetMs: number
  const root = join(tmpdir(), `fairway-acme-root-${process.pid}.pem`)
  const replicas: Replica[] = []

  beforeAll(async () => {
    httpPort = await freePort()
    pebble = await startPebble({ httpPort })
    await writeFile(root, await pebble.root())
  })
  afterAll(async () => {
    await pebble?.close()
    await rm(root, { force: true })
  })
  beforeEach(() => {
    api = fakeApi()
    events = []
    logged = []
    offsetMs = 0
    pebble.names.points = '127.0.0.1'
    pebble.names.onQuestion = undefined
  })
  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()))
  })

  const clock: Clock = { ...realClock, now: () => Date.now() + offsetMs }
  const collector: Logger = (() => {
    const note = (message: string, fields?: object): void => void logged.push(`${message} ${JSON.stringify(fields)}`)
    const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger }
    return logger
  })()

  const start = async (options: Partial<ReplicaOptions> = {}): Promise<Replica> => {
    const replica = await startReplica({
      client: api.client,
      server: { url: pebble.directory, ca: pebble.ca, email: 'us@example.com' },
      leadership: soleLeader,
      address: '127.0.0.1',
      httpPort,
      clock,
      log: collector,
      onEvent: (event) => events.push(event),
      ...options,
      timing: { settleMs: 0, pollMs: 50, backoff: { ...defaultBackoff, unreachable: soon }, ...options.timing },
    })
    replicas.push(replica)
    return replica
  }
  const eventually = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 30_000, interval: 20 })
  const secretOf = (name: string): Secret | undefined =>
    api.objects<Secret>(secretKind, 'default').find(({ metadata }) => metadata.name === name)
  const shared = (role: string): readonly Secret[] =>
    api.objects<Secret>(secretKind, 'fairway-system').filter(({ metadata }) => metadata.labels?.['fairway.dev/acme'] === role)
  const leafOf = (secret: Secret | undefined): X509Certificate =>
    new X509Certificate(Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64'))
  const told = (reason: string): readonly string[] =>
    events.filter((event) => event.reason === reason).map(({ message }) => message)
  const issued = async (name: string): Promise<X509Certificate> => {
    await eventually(() => expect(told('CertificateIssued').join()).toContain(`default/${name} `))
    return leafOf(secretOf(name))
  }
  const touch = (name: string): void => {
    const [object] = api.objects<Ingress>(ingressKind).filter(({ metadata }) => metadata.name === name)
    if (object !== undefined)
      api.put(ingressKind, { ...object, metadata: { ...object.metadata, labels: { touched: String(Math.random()) } } })
  }
  const isTidy = (): void => {
    expect(shared('order')).toEqual([])
    expect(Object.keys(shared('challenges')[0]?.data ?? {})).toEqual([])
  }
  const served = async (replica: Replica, host: string): Promise<string> => {
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${replica.httpsPort}`,
      '-servername',
      host,
      '-verify_hostname',
      host,
      '-CAfile',
      root,
      '-verify_return_error',
    ]
    const child = run('openssl', args)
    child.child.stdin?.end()
    return (await child).stdout
  }

  it('is issued, lies in its Secret with what there is to know of it, and is what openssl is served and believes', async () => {
    api.put(ingressKind, site('shop', 'shop.example', 'www.shop.example'))
    const replica = await start()
    const leaf = await issued('shop')
    expect(leaf.subjectAltName).toBe('DNS:shop.example, DNS:www.shop.example')
    const secret = secretOf('shop')
    expect(secret?.type).toBe('kubernetes.io/tls')
    expect(secret?.metadata.ownerReferences).toMatchObject([{ kind: 'Ingress', name: 'shop', uid: site('shop').metadata.uid }])
    expect(secret?.metadata.annotations).toMatchObject({
      'fairway.dev/acme-issuer': pebble.directory,
      'fairway.dev/acme-order': expect.stringContaining('/my-order/'),
      'fairway.dev/acme-not-after': new Date(leaf.validTo).toISOString(),
    })
    await eventually(async () => expect(await served(replica, 'www.shop.example')).toContain('Verify return code: 0 (ok)'))
    const chain =
      (await served(replica, 'shop.example')).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/)?.[0] ?? ''
    expect(new X509Certificate(chain).fingerprint256).toBe(leaf.fingerprint256)
    await eventually(isTidy)
    const keys = [...api.objects<Secret>(secretKind)]
      .flatMap(({ data }) => [data?.['account.key'], data?.['tls.key']])
      .filter((key) => key !== undefined)
    expect(keys).toHaveLength(2)
    const body = (key: string): string => Buffer.from(key, 'base64').toString().split('\n')[1] ?? ''
    for (const key of keys) expect(logged.join('\n')).not.toContain(body(key))
  })

  it('is renewed after two thirds of its life, once, while the old one is served', async () => {
    api.put(ingressKind, site('old', 'old.example'))
    await start()
    const before = await issued('old')
    const lifetime = Date.parse(before.validTo) - Date.parse(before.validFrom)
    offsetMs = lifetime * 0.6
    touch('old')
    await eventually(() => expect(logged.filter((line) => line.startsWith('ingress synced')).length).toBeGreaterThan(1))
    expect(leafOf(secretOf('old')).serialNumber).toBe(before.serialNumber)
    offsetMs = lifetime * 0.67
    touch('old')
    await eventually(() => expect(leafOf(secretOf('old')).serialNumber).not.toBe(before.serialNumber))
    await eventually(() => expect(told('CertificateIssued')).toHaveLength(2))
    await eventually(isTidy)
  })

  it('is issued anew for other hosts, and when its Secret is deleted', async () => {
    api.put(ingressKind, site('more', 'a.more.example'))
    await start()
    await issued('more')
    api.put(ingressKind, site('more', 'a.more.example', 'b.more.example'))
    await eventually(() => expect(leafOf(secretOf('more')).subjectAltName).toBe('DNS:a.more.example, DNS:b.more.example'))
    await eventually(isTidy)
    api.remove(secretKind, { namespace: 'default', name: 'more' })
    await eventually(() => expect(secretOf('more')).toBeDefined())
  })

  it('that the server refuses is told in its words, and not tried again before its time', async () => {
    pebble.names.points = '127.0.0.9'
    api.put(ingressKind, site('lost', 'lost.example'))
    await start({ timing: { backoff: { ...defaultBackoff, refused: never } } })
    await eventually(() => expect(told('CertificateFailed')).toHaveLength(1))
    expect(told('CertificateFailed')[0]).toMatch(
      /^no certificate for lost\.example yet: lost\.example: \w+: .*127\.0\.0\.9.*; tried again after 20/,
    )
    expect(shared('order')).toHaveLength(1)
    expect(Object.keys(shared('challenges')[0]?.data ?? {})).toEqual([])
    pebble.names.points = '127.0.0.1'
    const orders = pebble.log().split('to the db').length
    expect(orders).toBeGreaterThan(1)
    touch('lost')
    await eventually(() => expect(logged.filter((line) => line.startsWith('ingress synced')).length).toBeGreaterThan(1))
    expect(pebble.log().split('to the db').length).toBe(orders)
    offsetMs = 2 * 3_600_000
    touch('lost')
    await issued('lost')
    await eventually(isTidy)
  })

  it('that nobody asks for any more leaves nothing', async () => {
    pebble.names.points = '127.0.0.9'
    api.put(ingressKind, site('gone', 'gone.example'))
    await start({ timing: { backoff: { ...defaultBackoff, refused: never } } })
    await eventually(() => expect(told('CertificateFailed')).toHaveLength(1))
    api.remove(ingressKind, { namespace: 'default', name: 'gone' })
    await eventually(isTidy)
    expect(secretOf('gone')).toBeUndefined()
  })

  it('does not take the place of a Secret that is somebody else’s', async () => {
    const theirs = api.put(secretKind, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'default', name: 'theirs' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': 'bm8=', 'tls.key': 'bm8=' },
    })
    api.put(ingressKind, site('theirs', 'theirs.example'))
    api.put(ingressKind, site('ours', 'ours.example'))
    await start()
    await issued('ours')
    await eventually(() =>
      expect(told('CertificateNotRequested')).toEqual(['Secret default/theirs was made by somebody else and is left as it is']),
    )
    expect(secretOf('theirs')?.data).toEqual(theirs.data)
  })

  it('is not ordered when its Secret may not be written', async () => {
    api.intercept = ({ verb, namespace, resource }) => {
      if (resource === 'secrets' && namespace === 'default' && verb === 'create')
        throw new ApiError({ code: 403, reason: 'Forbidden', message: 'secrets is forbidden' })
    }
    api.put(ingressKind, site('locked', 'locked.example'))
    await start({ timing: { backoff: { ...defaultBackoff, unreachable: never } } })
    await eventually(() =>
      expect(told('CertificateFailed')[0]).toContain('Secret default/locked cannot be written: secrets is forbidden'),
    )
    expect(pebble.log()).not.toContain('locked.example')
    expect(shared('account')).toEqual([])
  })

  it('waits for a server that is away, or that is not who it should be, and says so', async () => {
    await pebble.stop()
    api.put(ingressKind, site('later', 'later.example'))
    await start()
    await eventually(() => expect(told('CertificateFailed')[0]).toContain('no answer from the ACME server: connect ECONNREFUSED'))
    await pebble.start()
    await issued('later')
    await eventually(isTidy)
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()))
    events = []
    api.put(ingressKind, site('trust', 'trust.example'))
    await start({ server: { url: pebble.directory, ca: pebble.otherCa } })
    await eventually(() =>
      expect(told('CertificateFailed')[0]).toMatch(/no answer from the ACME server: .*(signature|certificate)/),
    )
  })

  it('of a server that forgot everything is asked for with the same key, under a new account', async () => {
    api.put(ingressKind, site('first', 'first.example'))
    await start()
    await issued('first')
    const [account] = shared('account')
    await pebble.stop()
    await pebble.start()
    api.put(ingressKind, site('second', 'second.example'))
    await issued('second')
    expect(shared('account')).toHaveLength(1)
    expect(shared('account')[0]?.data?.['account.key']).toBe(account?.data?.['account.key'])
    expect(shared('account')[0]?.data?.['account.url']).not.toBe(account?.data?.['account.url'])
  })

  it('is finished by the next leader when the first stops at the moment of validation; another replica answers', async () => {
    const [first, second] = [leadershipOf(true), leadershipOf(false)]
    pebble.names.points = '127.0.0.2'
    pebble.names.onQuestion = () => {
      first.set(false)
    }
    api.put(ingressKind, site('moved', 'moved.example'))
    await start({ leadership: second, address: '127.0.0.2' })
    await start({ leadership: first })
    await eventually(() => expect(first.isLeader).toBe(false))
    const order = shared('order')[0]?.metadata.annotations?.['fairway.dev/acme-order']
    expect(order).toBeDefined()
    const accounts = pebble.log().split('accounts in memory').length
    expect(accounts).toBeGreaterThan(1)
    second.set(true)
    await issued('moved')
    expect(secretOf('moved')?.metadata.annotations?.['fairway.dev/acme-order']).toBe(order)
    expect(pebble.log().split('accounts in memory').length).toBe(accounts)
    expect(told('CertificateFailed')).toEqual([])
    await eventually(isTidy)
  })

  it('takes what a former leader left and nobody asks for', async () => {
    const [first, second] = [leadershipOf(true), leadershipOf(false)]
    pebble.names.onQuestion = () => {
      first.set(false)
    }
    api.put(ingressKind, site('left', 'left.example'))
    await start({ leadership: second, address: '127.0.0.2' })
    await start({ leadership: first })
    await eventually(() => expect(first.isLeader).toBe(false))
    expect(Object.keys(shared('challenges')[0]?.data ?? {})).toHaveLength(1)
    api.remove(ingressKind, { namespace: 'default', name: 'left' })
    second.set(true)
    await eventually(isTidy)
  })

  it('many are ordered as fast as the budget allows', async () => {
    for (let i = 0; i < 12; i++) api.put(ingressKind, site(`many-${i}`, `many-${i}.example`))
    await start({ timing: { budget: { burst: 4, perMinute: 240 } } })
    await eventually(() => expect(told('CertificateIssued')).toHaveLength(12))
    expect(logged.filter((line) => line.startsWith('orders wait their turn')).length).toBeGreaterThan(0)
    expect(told('CertificateFailed')).toEqual([])
  })
})
