import { Command } from 'commander'
import { afterEach, describe, expect, it } from 'vitest'
import { healthHandler, insightHandler, serveOn } from './endpoints.ts'
import { INGRESS_FLAGS, withIngressFlags } from './flags.ts'
import { type IngressSettings, readSettings } from './settings.ts'

const parse = (...args: readonly string[]) =>
  readSettings(withIngressFlags(new Command('ingress')).exitOverride().parse(args, { from: 'user' }).opts(), {})

describe('the flags of fairway ingress', () => {
  it('are each read', () => {
    const untold = parse().settings
    for (const { flags } of INGRESS_FLAGS) {
      const [name = '', value] = flags.split(' ')
      const { settings, problems } = parse(...(value === undefined ? [name] : [`${name}=?!`]))
      const isRead = problems.length > 0 || JSON.stringify(settings) !== JSON.stringify(untold)
      expect({ name, isRead }).toEqual({ name, isRead: true })
    }
  })

  it('have those of ingress-nginx that are about the same', () => {
    const known = new Set(INGRESS_FLAGS.flatMap(({ flags }) => flags.match(/--[a-z-]+/) ?? []))
    const names =
      'kubeconfig ingress-class controller-class watch-namespace publish-service publish-status-address update-status-on-shutdown election-id default-ssl-certificate configmap tcp-services-configmap udp-services-configmap'
    for (const name of names.split(' ')) expect(known).toContain(`--${name}`)
  })

  it.each<[readonly string[], Partial<IngressSettings>]>([
    [
      [],
      {
        http: { address: '0.0.0.0', port: 80 },
        https: { address: '0.0.0.0', port: 443 },
        health: { address: '0.0.0.0', port: 10_254 },
        metrics: { address: '127.0.0.1', port: 10_253 },
        publish: { kind: 'nothing' },
        election: { name: 'fairway-ingress-leader', namespace: undefined },
        clearStatusOnStop: true,
        shutdownDelayMs: 0,
        drainTimeoutMs: 30_000,
        httpsRedirectPort: 443,
        trustedProxies: [],
      },
    ],
    [['--http', '[::]:8080'], { http: { address: '::', port: 8080 } }],
    [['--http', ':8080'], { http: { address: '0.0.0.0', port: 8080 } }],
    [['--https='], { https: undefined }],
    [['--health', ''], { health: undefined }],
    [['--ingress-class', 'a, b'], { classNames: ['a', 'b'] }],
    [['--controller-class', 'k8s.io/ingress-nginx'], { controllerName: 'k8s.io/ingress-nginx' }],
    [['--publish-service', 'a/b'], { publish: { kind: 'service', key: 'a/b' } }],
    [
      ['--publish-status-address', '192.0.2.1,lb.example,fd00::1'],
      { publish: { kind: 'addresses', entries: [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }, { ip: 'fd00::1' }] } },
    ],
    [['--trusted-proxies', '10.0.0.0/8,192.0.2.1,fd00::1'], { trustedProxies: ['10.0.0.0/8', '192.0.2.1/32', 'fd00::1/128'] }],
    [[], { acme: undefined }],
    [
      ['--acme-server', 'https://acme.example/dir', '--acme-agree-tos', '--acme-email', 'us@example.com'],
      { acme: { server: 'https://acme.example/dir', email: 'us@example.com', caFile: undefined, namespace: undefined } },
    ],
    [['--update-status-on-shutdown=false'], { clearStatusOnStop: false }],
    [['--update-status-on-shutdown'], { clearStatusOnStop: true }],
    [['--shutdown-delay', '1m30s', '--drain-timeout', '500ms'], { shutdownDelayMs: 90_000, drainTimeoutMs: 500 }],
  ])('%j are taken', (args, expected) => {
    const { settings, problems } = parse(...args)
    expect(problems).toEqual([])
    expect(settings).toMatchObject(expected)
  })

  it.each([
    ['--http', 'localhost:80'],
    ['--http', '127.0.0.1'],
    ['--http', '127.0.0.1:65536'],
    ['--publish-service', 'a'],
    ['--publish-service', 'a/b/c'],
    ['--publish-status-address', 'a b'],
    ['--default-ssl-certificate', '/b'],
    ['--workers', '0'],
    ['--workers', '1.5'],
    ['--trusted-proxies', '10.0.0.1/8'],
    ['--trusted-proxies', 'everybody'],
    ['--shutdown-delay', '10'],
    ['--shutdown-delay', '-1s'],
    ['--update-status-on-shutdown', 'maybe'],
    ['--log-level', 'loud'],
    ['--controller-name', 'fairway'],
    ['--election-id', 'A'],
    ['--https-redirect-port', '0'],
    ['--acme-server', 'http://acme.example/dir'],
    ['--acme-server', 'letsencrypt'],
  ])('%s %s is refused', (flag, value) => {
    expect(parse(`${flag}=${value}`).problems).toEqual([{ flag, reason: expect.stringContaining(`"${value}" is not`) }])
  })

  it.each<[readonly string[], string]>([
    [['--acme-server', 'https://acme.example/dir'], 'needs --acme-agree-tos: the server has terms of service'],
    [
      ['--acme-server', 'https://acme.example/dir', '--acme-agree-tos=false'],
      'needs --acme-agree-tos: the server has terms of service',
    ],
    [['--acme-server', 'https://acme.example/dir', '--acme-agree-tos', '--http='], 'needs --http: challenges are answered there'],
    [['--acme-ca', 'ca.pem'], 'is needed for the other --acme flags'],
  ])('%j are refused', (args, reason) => {
    expect(parse(...args).problems).toEqual([{ flag: '--acme-server', reason }])
  })

  it('POD_NAMESPACE says where the lease lies, unless a flag does', () => {
    const env = { POD_NAMESPACE: 'system', POD_IP: '10.0.0.1' }
    expect(readSettings({}, env).settings).toMatchObject({ election: { namespace: 'system' }, podAddress: '10.0.0.1' })
    expect(readSettings({ electionNamespace: 'other' }, env).settings.election.namespace).toBe('other')
  })
})

describe('what the process says of itself', () => {
  const abort = new AbortController()
  let reason: string | undefined
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })
  const serve = async (handler: Parameters<typeof serveOn>[2]): Promise<string> => {
    const end = new AbortController()
    const { port, stopped } = await serveOn('--health', { address: '127.0.0.1', port: 0 }, handler, end.signal)
    stops.push(() => {
      end.abort()
      return stopped
    })
    return `http://127.0.0.1:${port}`
  }
  const get = async (url: string, method = 'GET'): Promise<readonly [number, string]> => {
    const response = await fetch(url, { method, headers: { connection: 'close' } })
    return [response.status, await response.text()]
  }

  it('is whether traffic may come, and why not', async () => {
    const url = await serve(healthHandler({ notReady: () => reason }))
    for (const [now, code] of [
      ['starting', 503],
      [undefined, 200],
      ['draining', 503],
    ] as const) {
      reason = now
      expect(await get(`${url}/readyz`)).toEqual([code, `${now ?? 'ok'}\n`])
      expect(await get(`${url}/healthz`)).toEqual([200, 'ok\n'])
    }
    expect(await get(`${url}/constructor`)).toEqual([404, 'no such path\n'])
    expect(await get(`${url}/readyz`, 'POST')).toEqual([405, 'only GET\n'])
  })

  it('is what it counts; a failure is told as one', async () => {
    let fails = false
    const metrics = async (): Promise<string> => {
      if (fails) throw new Error('no')
      return 'a 1\n'
    }
    const url = await serve(insightHandler({ metrics, explain: () => undefined }))
    expect(await get(`${url}/metrics`)).toEqual([200, 'a 1\n'])
    fails = true
    expect(await get(`${url}/metrics`)).toEqual([500, 'internal error\n'])
    expect(await get(`${url}/explain?target=x`)).toEqual([400, '{"error":"\\"x\\" is not a URL that the Ingress could serve"}'])
  })

  it('has no address that is taken', async () => {
    const url = await serve(healthHandler({ notReady: () => undefined }))
    const at = { address: '127.0.0.1', port: Number(new URL(url).port) }
    await expect(serveOn('--health', at, () => {}, abort.signal)).rejects.toThrow(`--health 127.0.0.1:${at.port} cannot be had`)
  })
})
