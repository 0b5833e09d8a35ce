import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { type Node, type ServiceCIDR, serviceCIDRKind } from '../../api/index.ts'
import { silentLogger } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { fakeInformer } from '../../informers/testing/index.ts'
import { readFlags } from '../../proxy/index.ts'
import { proxyConnection } from './connect.ts'
import { conntrackSysctls } from './conntrack-sysctls.ts'
import { givenFlags, PROXY_FLAGS, withProxyFlags } from './flags.ts'
import { createMachine, type InterfaceAddress, primaryAddresses } from './machine.ts'
import { serve } from './servers.ts'
import { watchedServiceCIDRs } from './service-cidrs.ts'

describe('the flags of fairway proxy', () => {
  const parse = (...args: readonly string[]) => {
    const command = withProxyFlags(new Command('proxy')).exitOverride()
    command.parse([...args], { from: 'user' })
    return command.opts()
  }

  it('set only fields that are known', () => {
    const all = PROXY_FLAGS.flatMap(({ flags, paths }) => paths.map((path) => ({ flag: flags, path, text: '' })))
    expect(() => readFlags(all)).not.toThrow()
  })

  it('are those of kube-proxy', () => {
    const known = new Set(PROXY_FLAGS.flatMap(({ flags }) => flags.match(/--[a-z-]+/) ?? []))
    const kubeProxy =
      'kubeconfig master hostname-override proxy-mode cluster-cidr config cleanup nodeport-addresses masquerade-all bind-address healthz-bind-address metrics-bind-address detect-local-mode ipvs-scheduler ipvs-strict-arp conntrack-max-per-core conntrack-tcp-timeout-close-wait'
    for (const name of kubeProxy.split(' ')) expect(known).toContain(`--${name}`)
  })

  it.each([
    ['a value apart', ['--cluster-cidr', '10.0.0.0/8'], [['--cluster-cidr', 'clusterCIDR', '10.0.0.0/8']]],
    ['a value behind =', ['--proxy-mode=ipvs'], [['--proxy-mode', 'mode', 'ipvs']]],
    ['an empty value', ['--healthz-bind-address='], [['--healthz-bind-address', 'healthzBindAddress', '']]],
    [
      'a boolean without a word',
      ['--masquerade-all'],
      [
        ['--masquerade-all', 'iptables.masqueradeAll', 'true'],
        ['--masquerade-all', 'nftables.masqueradeAll', 'true'],
      ],
    ],
    ['a boolean as Go writes it', ['--ipvs-strict-arp=false'], [['--ipvs-strict-arp', 'ipvs.strictARP', 'false']]],
    ['a level', ['-v', '4'], [['--v', 'logging.verbosity', '4']]],
    ['what sets no field', ['--config', 'f', '--cleanup'], []],
    ['nothing', [], []],
  ])('take %s', (_title, args, expected) => {
    expect(givenFlags(parse(...args)).map(({ flag, path, text }) => [flag, path, text])).toEqual(expected)
  })
})

describe('the connection of a proxy', () => {
  it.each([
    ['nothing at all', { env: {} }, /^no API server: name a kubeconfig with --kubeconfig/],
    [
      'a kubeconfig that is not there',
      { kubeconfig: '/nowhere/kubeconfig', env: {} },
      /^the kubeconfig \/nowhere\/kubeconfig can't be read/,
    ],
    ['a master that is no URL', { master: 'localhost:6443', env: {} }, /^--master: "localhost:6443" is not a URL/],
  ])('is refused for %s', async (_title, options, message) => {
    await expect(proxyConnection(options)).rejects.toThrow(message)
  })

  it('is anonymous with a master alone', async () => {
    expect(await proxyConnection({ master: 'http://127.0.0.1:8080', env: {} })).toMatchObject({
      server: 'http://127.0.0.1:8080',
      credentials: { kind: 'none' },
    })
  })
})

describe('the machine', () => {
  const interfaces: readonly InterfaceAddress[] = [
    { interface: 'lo', address: '127.0.0.1', prefix: 8 },
    { interface: 'eth0', address: '192.0.2.1', prefix: 24 },
    { interface: 'eth0', address: 'fd00::1', prefix: 64 },
    { interface: 'cni0', address: '10.244.1.1', prefix: 24 },
  ]
  const node = (addresses: readonly { readonly type: string; readonly address: string }[]): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { podCIDRs: ['10.244.1.0/24'] },
    status: { addresses },
  })
  const machine = (rest: Partial<Parameters<typeof createMachine>[0]> = {}) =>
    createMachine({
      nodePortRanges: [{ kind: 'primary' }],
      pods: { kind: 'node' },
      clock: pausedClock(),
      interfaces: () => interfaces,
      ...rest,
    })

  it.each([
    [
      'the internal addresses of the Node, one of each family',
      node([
        { type: 'Hostname', address: 'n1' },
        { type: 'ExternalIP', address: '203.0.113.1' },
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '192.0.2.9' },
        { type: 'InternalIP', address: 'fd00::1' },
      ]),
      ['192.0.2.1', 'fd00::1'],
    ],
    ['its external one where it has no other', node([{ type: 'ExternalIP', address: '203.0.113.1' }]), ['203.0.113.1']],
    ['the first of the machine while nobody knows the Node', undefined, ['192.0.2.1', 'fd00::1']],
  ])('serves NodePorts on %s', (_title, object, expected) => {
    expect(primaryAddresses(object, ['192.0.2.1', 'fd00::1', '10.244.1.1'])).toEqual(expected)
    expect(machine().current(object).nodePortAddresses).toEqual(expected)
  })

  it.each([
    ['the Node', { kind: 'node' } as const, undefined],
    ['ranges', { kind: 'ranges', cidrs: ['10.244.0.0/16'] } as const, ['10.244.0.0/16']],
    ['a bridge', { kind: 'bridge', name: 'cni0' } as const, ['10.244.1.0/24']],
    ['interfaces by their prefix, as one', { kind: 'interfaces', prefix: 'cn' } as const, ['10.244.1.0/24']],
    ['interfaces without an address', { kind: 'interfaces', prefix: 'cali' } as const, undefined],
    ['a bridge that is not there yet', { kind: 'bridge', name: 'cbr0' } as const, []],
  ])('tells pods by %s', (_title, pods, expected) => {
    expect(machine({ pods }).current(undefined).podCIDRs).toEqual(expected)
  })

  it('knows its own addresses, and one that it is told', () => {
    expect(machine({ bindAddress: '198.51.100.1' }).current(undefined).nodeAddresses).toEqual([
      '198.51.100.1',
      '192.0.2.1',
      'fd00::1',
      '10.244.1.1',
    ])
  })

  it('tells when an address comes or goes, and nothing while none does', async () => {
    const clock = pausedClock()
    let now = interfaces
    let told = 0
    const stop = machine({ clock, interfaces: () => now }).onChange(() => told++)
    await clock.advance(120_000)
    expect(told).toBe(0)
    now = interfaces.slice(1)
    await clock.advance(30_000)
    expect(told).toBe(1)
    stop()
    now = interfaces
    await clock.advance(120_000)
    expect(told).toBe(1)
  })
})

describe('the ranges of ClusterIPs', () => {
  const range = (name: string, ...cidrs: string[]): ServiceCIDR => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs },
  })

  it('are those of all objects, and tell only when they are others', () => {
    const informer = fakeInformer(serviceCIDRKind, [range('kubernetes', '10.96.0.0/16', 'fd00:96::/112')])
    const ranges = watchedServiceCIDRs(informer)
    let told = 0
    ranges.onChange(() => told++)
    expect(ranges.current()).toEqual(['10.96.0.0/16', 'fd00:96::/112'])
    informer.set({ ...range('kubernetes', '10.96.0.0/16', 'fd00:96::/112'), status: { conditions: [] } })
    expect(told).toBe(0)
    informer.set(range('more', '10.97.0.0/16'))
    expect(told).toBe(1)
    expect(ranges.current()).toEqual(['10.96.0.0/16', '10.97.0.0/16', 'fd00:96::/112'])
  })
})

describe('conntrackSysctls', () => {
  const name = (text: string): string => `net/netfilter/nf_conntrack_${text}`
  it.each([
    ['nothing', {}, []],
    ['zeroes', { maxPerCore: 0, udpTimeoutMs: 0, tcpBeLiberal: false }, []],
    ['a number for each core', { maxPerCore: 32_768 }, [{ name: name('max'), value: 131_072, isFloor: true }]],
    ['more cores than the minimum', { maxPerCore: 65_536, min: 1 }, [{ name: name('max'), value: 131_072, isFloor: true }]],
    [
      'timeouts',
      { tcpEstablishedTimeoutMs: 86_400_000, tcpCloseWaitTimeoutMs: 3_600_000, udpTimeoutMs: 500 },
      [
        { name: name('tcp_timeout_established'), value: 86_400 },
        { name: name('tcp_timeout_close_wait'), value: 3_600 },
        { name: name('udp_timeout'), value: 1 },
      ],
    ],
    ['liberality', { tcpBeLiberal: true }, [{ name: name('tcp_be_liberal'), value: 1 }]],
  ])('%s', (_title, settings, expected) => {
    expect(conntrackSysctls(settings, 2)).toEqual(expected)
  })
})

describe('a server whose address is taken', () => {
  const endpoint = { address: '127.76.0.1', port: 23_001 }
  const options = (clock = pausedClock(), hardFail = false) => ({
    flag: '--healthz-bind-address',
    endpoint,
    handler: (_request: unknown, response: { end(text: string): void }) => response.end('ok'),
    hardFail,
    clock,
    log: silentLogger,
  })

  it('is had as soon as it is free, or refused in one line where that was asked for', async () => {
    const first = new AbortController()
    const holder = await serve(options(), first.signal)
    await expect(serve(options(pausedClock(), true), first.signal)).rejects.toThrow(
      '--healthz-bind-address 127.76.0.1:23001 cannot be had',
    )
    const clock = pausedClock()
    const second = new AbortController()
    const waiting = await serve(options(clock), second.signal)
    first.abort()
    await holder.stopped
    await clock.advance(5_000)
    await expect.poll(async () => (await fetch('http://127.76.0.1:23001/').catch(() => undefined))?.status).toBe(200)
    second.abort()
    await waiting.stopped
    await expect(fetch('http://127.76.0.1:23001/')).rejects.toThrow()
  })
})
