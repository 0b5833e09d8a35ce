import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, realExec } from '../../src/host/index.ts'
import { createIptables, type Iptables } from '../../src/kernel/iptables/index.ts'
import { type Forwarding, type NodeView, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice, vips } from '../../src/model/testing/index.ts'
import { backendConformance } from '../../src/proxy/backend.conformance.ts'
import { createIptablesBackend, iptablesLeftovers } from '../../src/proxy/backends/iptables/index.ts'
import { canOpenLab, type Lab, openLab, POD_PORT } from './lab.ts'
import { LOCK, SERVICE_CIDRS, stickyWeb, toWeb, withOwnLock } from './services.ts'

const FLAVOURS = ['nft', 'legacy'] as const
type Flavour = (typeof FLAVOURS)[number]

let lab: Lab
const onNode: Exec = withOwnLock((argv, options) => lab.node.exec(argv, options))
const newBackend = (flavour: Flavour, iptables: Iptables = createIptables(onNode)) =>
  createIptablesBackend({ iptables, flavour, serviceCIDRs: SERVICE_CIDRS })

/** A new backend with the input of each restore that it makes. */
const watched = (flavour: Flavour) => {
  const inputs: string[] = []
  const exec: Exec = (argv, options) => {
    if (argv[0].endsWith('-restore')) inputs.push(String(options?.stdin))
    return onNode(argv, options)
  }
  return { backend: newBackend(flavour, createIptables(exec)), inputs: () => inputs.filter((input) => !input.includes('PROBE')) }
}

const web = (...pods: readonly string[]) => stickyWeb(lab.node.view('IPv4'), pods)
const pods = (): readonly string[] => lab.plan('IPv4').pods
const full = (...set: readonly Forwarding[]) => ({ full: true, set, delete: [], node: lab.node.view('IPv4') })

/** A Service with everything that a Service can have, in one family, on a node with these ranges of pods. */
const everything = (family: 'IPv4' | 'IPv6', pods: readonly string[]): { forwarding: Forwarding; node: NodeView } => {
  const of = (net: string, last: number) => (family === 'IPv4' ? `203.0.${net}.${last}` : `fd00:${net}::${last}`)
  const node = { ...lab.node.view(family), addresses: [of('6', 1)], podCIDRs: pods, nodePortAddresses: [of('2', 1)] }
  const object = service(
    'all',
    {
      type: 'LoadBalancer',
      clusterIP: of('3', 1),
      clusterIPs: [of('3', 1)],
      externalIPs: [of('4', 1), of('2', 1)],
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      healthCheckNodePort: 31_000,
      sessionAffinity: 'ClientIP',
      loadBalancerSourceRanges: family === 'IPv4' ? ['203.0.5.0/24', '203.0.6.1/32'] : ['fd00:5::/64', 'fd00:6::1/128'],
      ports: (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) =>
        port(80, { name: `p${at}`, protocol, nodePort: 30_000 + at }),
      ),
    },
    { status: vips(of('7', 1), of('7', 2)) },
  )
  const ports = (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) => ({ port: 8080, protocol, name: `p${at}` }))
  // SCTP has endpoints on another node only.
  const slices = [
    slice('all', [endpoint(of('1', 1), { nodeName: 'n1' }), endpoint(of('1', 2), { nodeName: 'n2' })], {
      addressType: family,
      ports: ports.slice(0, 2),
    }),
    slice('all', [endpoint(of('1', 3), { nodeName: 'n2' })], {
      addressType: family,
      ports: ports.slice(2),
      metadata: { name: 'all-2' },
    }),
  ]
  const meaning = serviceForwarding({ service: object, slices, node }, family)
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return { forwarding: meaning.forwarding, node }
}

const tool = async (command: string, ...args: readonly string[]): Promise<string> => (await onNode([command, ...args])).stdout
/** All rules of a flavour, without counters and times. */
const saved = async (flavour: Flavour): Promise<readonly string[]> =>
  `${await tool(`iptables-${flavour}-save`)}${await tool(`ip6tables-${flavour}-save`)}`
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/\[\d+:\d+\]/, ''))
const ofProxy = (line: string): boolean => line.includes('KUBE-')

// Without root there are no namespaces to make; the fake evaluates the same suite in src/proxy/backends/iptables.
describe.skipIf(!canOpenLab)('iptables proxy between network namespaces', () => {
  beforeAll(async () => {
    lab = await openLab('fipt')
  })
  afterAll(async () => {
    await lab?.close()
    await realExec(['rm', '-f', LOCK])
  })

  describe.each(FLAVOURS)('%s', (flavour) => {
    // Rules of both flavours would be met by every packet.
    afterAll(() => newBackend(flavour).cleanup())

    for (const family of ['IPv4', 'IPv6'] as const) {
      backendConformance(`iptables (${flavour}) in namespaces, ${family}`, async () => ({
        backend: newBackend(flavour),
        plan: lab.plan(family),
        send: (packet) => lab.send(packet),
        close: async () => {},
      }))
    }

    it('keeps remembered clients and writes nothing again when another process adopts its rules', async () => {
      await newBackend(flavour).sync(full(web(...pods())))
      const first = await lab.send(toWeb)
      expect(first.kind).toBe('reached')
      const { backend, inputs } = watched(flavour)
      await backend.sync(full(web(...pods())))
      expect(inputs()).toEqual([])
      await backend.sync(
        full(web(...pods().filter((address) => first.kind === 'reached' && first.endpoint.startsWith(address)), '10.1.1.77')),
      )
      for (let round = 0; round < 4; round++) expect(await lab.send(toWeb)).toEqual(first)
    })

    it.each([
      ['IPv4', ['203.0.1.0/24']],
      ['IPv4', ['203.0.1.0/24', '203.0.9.0/24']],
      ['IPv6', ['fd00:1::/64']],
      ['IPv6', []],
    ] as const)('adopts every kind of %s rule as it wrote it, with pods in %j', async (family, ranges) => {
      const { forwarding, node } = everything(family, ranges)
      const change = { full: true, set: [forwarding], delete: [], node }
      await newBackend(flavour).sync(change)
      const { backend, inputs } = watched(flavour)
      await backend.sync(change)
      expect(inputs()).toEqual([])
      expect(await backend.audit()).toEqual([])
      await backend.sync({ full: false, set: [], delete: [forwarding.key], node })
      expect((await saved(flavour)).filter((line) => /KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(line))).toEqual([])
    })

    it('puts everything back when someone flushed, by its canary and by the next change', async () => {
      const noticed = withResolvers()
      const backend = createIptablesBackend({
        iptables: createIptables(onNode),
        flavour,
        serviceCIDRs: SERVICE_CIDRS,
        canaryIntervalMs: 100,
        onForeignChange: () => noticed.resolve(),
      })
      const stop = new AbortController()
      const { stopped } = await backend.start(stop.signal, () => {})
      await backend.sync(full(web(...pods())))
      const before = await saved(flavour)
      await tool(`iptables-${flavour}`, '-w', '-t', 'nat', '-F')
      await noticed.promise
      stop.abort()
      await stopped
      expect([...(await saved(flavour))].sort()).toEqual([...before].sort())
      for (const table of ['nat', 'filter']) {
        await tool(`iptables-${flavour}`, '-w', '-t', table, '-F')
        await tool(`iptables-${flavour}`, '-w', '-t', table, '-X')
      }
      const change = { full: false, set: [web(pods()[0] ?? '')], delete: [], node: lab.node.view('IPv4') }
      await backend.sync(change)
      expect(await lab.send(toWeb)).toMatchObject({ kind: 'reached', endpoint: `${pods()[0]}:${POD_PORT}` })
    })

    it('reports and repairs what others changed', async () => {
      const backend = newBackend(flavour)
      await backend.sync(full(web(...pods())))
      await tool(`iptables-${flavour}`, '-w', '-t', 'nat', '-F', 'KUBE-SERVICES')
      await tool(`iptables-${flavour}`, '-w', '-t', 'filter', '-A', 'KUBE-SERVICES', '-i', 'lo', '-j', 'ACCEPT')
      const found = await backend.audit()
      expect(found).toContainEqual({
        kind: 'foreign',
        what: `rule -i lo -j ACCEPT of chain KUBE-SERVICES in table filter of iptables (${flavour})`,
      })
      expect(found).toContainEqual(
        expect.objectContaining({ kind: 'missing', key: 'IPv4 default/web', what: expect.stringContaining('-d 10.96.0.10') }),
      )
      expect(await backend.audit()).toEqual([])
      expect((await lab.send(toWeb)).kind).toBe('reached')
    })

    it('leaves nothing behind after cleanup, and rules of others untouched', async () => {
      await newBackend(flavour).cleanup()
      const theirs = `*nat
:DOCKER - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -p tcp -m tcp --dport 8443 -j DNAT --to-destination 10.1.1.99:443
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A FORWARD -s 198.51.100.66/32 -j DROP
-A INPUT -p icmp -m limit --limit 5/sec -j ACCEPT
COMMIT
*mangle
-A POSTROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
`
      await onNode([`iptables-${flavour}-restore`, '--noflush', '--wait'], { stdin: theirs })
      const before = await saved(flavour)
      await newBackend(flavour).sync(full(web(...pods())))
      expect((await lab.send(toWeb)).kind).toBe('reached')
      expect((await saved(flavour)).filter((line) => !ofProxy(line) || /KUBELET|KUBE-FIREWALL/.test(line))).toEqual(
        expect.arrayContaining(before.filter((line) => line.startsWith('-A'))),
      )
      expect((await iptablesLeftovers(createIptables(onNode))).join()).toContain(`(${flavour}, IPv4)`)
      await newBackend(flavour).cleanup()
      await newBackend(flavour).cleanup()
      const after = await saved(flavour)
      expect(after.filter((line) => line.startsWith('-A'))).toEqual(before.filter((line) => line.startsWith('-A')))
      expect(after.filter((line) => ofProxy(line) && !/KUBELET|KUBE-FIREWALL/.test(line))).toEqual([])
      expect(await iptablesLeftovers(createIptables(onNode))).toEqual([])
      for (const table of ['nat', 'filter', 'mangle']) await tool(`iptables-${flavour}`, '-w', '-t', table, '-F')
    })
  })
})

/** `Promise.withResolvers` is not in Node 20. */
const withResolvers = (): { promise: Promise<void>; resolve: () => void } => {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
