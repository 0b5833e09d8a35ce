import { describe, expect, it } from 'vitest'
import { type Exec, HostError } from '../../host/index.ts'
import { NetlinkWriter, parseMessages } from '../netlink/index.ts'
import { entryReader } from './answers.ts'
import { type ConntrackHarness, conntrackConformance } from './conntrack.conformance.ts'
import { type ConntrackEntry, createConntrackTool, type FlowEnd, type ListFilter, openConntrack } from './index.ts'
import { listRequest, writeCreation, writeRemoval } from './requests.ts'
import { fakeConntrack } from './testing/index.ts'
import { parseEntries } from './tool-output.ts'
import { listsOf } from './wanted.ts'

const end = (address: string, port: number): FlowEnd => ({ address, port })

const openFake = (v6: boolean) => async (): Promise<ConntrackHarness> => {
  const conntrack = fakeConntrack()
  const address = (last: number): string => (v6 ? `fd00::${last}` : `10.0.0.${last}`)
  const services = [end(address(10), 53), end(address(11), 54)] as const
  return {
    conntrack,
    family: v6 ? 'IPv6' : 'IPv4',
    client: address(1),
    service: services[0],
    other: services[1],
    endpoints: [end(address(2), 5353), end(address(3), 5353)],
    route: async (to) => conntrack.setRules(() => ({ kind: 'accept', ...(to === undefined ? {} : { destination: to }) })),
    send: async (from, { to = services[0], protocol = 'UDP' } = {}) =>
      conntrack.send({ protocol, source: end(address(1), from), destination: to }),
    close: async () => {},
  }
}

// Netlink and the tool pass the same table in test/netns/conntrack.test.ts.
conntrackConformance('fake, IPv4', openFake(false))
conntrackConformance('fake, IPv6', openFake(true))

const flow: Omit<ConntrackEntry, 'id' | 'replied'> & { timeoutSeconds: number } = {
  family: 'IPv4',
  protocol: 'UDP',
  original: { source: end('10.1.1.2', 4001), destination: end('10.96.0.10', 53) },
  reply: { source: end('10.1.1.3', 5353), destination: end('10.1.1.2', 4001) },
  mark: 7,
  timeoutSeconds: 30,
}
const sixth: typeof flow = {
  ...flow,
  family: 'IPv6',
  original: { source: end('fd00::2', 4001), destination: end('fd00:96::10', 53) },
  reply: { source: end('fd00::3', 5353), destination: end('fd00::2', 4001) },
}
/** A flow's message as the kernel dumps it: with status and id. */
const dumped = (each: typeof flow, { status = 0xe, zone = 0 } = {}): Buffer => {
  const writer = new NetlinkWriter()
  writeCreation(writer, each, 1)
  writer.u32be(3, status)
  writer.u32be(12, 99)
  if (zone !== 0) writer.u16be(18, zone)
  writer.end(0)
  return parseMessages(writer.written())[0]?.payload ?? Buffer.alloc(0)
}
const { timeoutSeconds: _, ...entry } = { ...flow, id: 99, replied: true }

const udp: ListFilter = { family: 'IPv4', protocol: 'UDP' }

describe('messages', () => {
  it('read an entry', () => {
    expect(entryReader(udp)(dumped(flow))).toEqual(entry)
    expect(entryReader({ ...udp, family: 'IPv6' })(dumped(sixth))).toMatchObject({ original: sixth.original, reply: sixth.reply })
    expect(entryReader(udp)(dumped(flow, { status: 8 }))?.replied).toBe(false)
  })
  it.each([
    ['another zone', dumped(flow, { zone: 5 })],
    ['another family', dumped(sixth)],
    ['another protocol', dumped({ ...flow, protocol: 'SCTP' })],
  ])('leave an entry of %s out', (_what, payload) => expect(entryReader(udp)(payload)).toBeUndefined())
  it('refuse an entry without its parts', () => {
    expect(() => entryReader(udp)(Buffer.from('02000000', 'hex'))).toThrow("the kernel's entry has no protocol")
    expect(() => entryReader(udp)(dumped(flow).subarray(0, 60))).toThrow("the kernel's entry has no address")
  })
  it.each([
    ['IPv4', flow],
    ['IPv6', sixth],
  ])('tell by their bytes where a flow of %s goes', (_what, each) => {
    const to = each.original.destination
    const { family, protocol } = each
    const read = (...destinations: readonly FlowEnd[]) => entryReader({ family, protocol, destinations })(dumped(each))
    expect(read(to)).toMatchObject({ original: each.original })
    expect(read({ ...to, port: 54 }, each.reply.source, to)).toMatchObject({ original: each.original })
    expect(read({ ...to, port: 54 }, each.original.source, each.reply.source)).toBeUndefined()
  })
  it('never ask for a removal without a tuple and an id, which would flush the table', () => {
    const writer = new NetlinkWriter()
    writeRemoval(writer, { ...entry, id: 0x01020304 }, 5)
    const hex = writer.written().toString('hex')
    const [message] = parseMessages(writer.written())
    expect(message?.type).toBe(0x0102)
    expect(hex).toContain('080001000a010103')
    expect(hex).toContain('08000c0001020304')
  })
  it('refuse what is no address', () => {
    const destinations = [end('web', 53)]
    expect(() => listRequest({ family: 'IPv4', protocol: 'UDP', destinations }, 1)).toThrow('"web" is no address')
  })
})

describe('splitting a list', () => {
  const filter = (...destinations: readonly FlowEnd[]): ListFilter => ({ ...udp, destinations })
  it.each<[string, ListFilter, number]>([
    ['one destination', filter(end('10.0.0.1', 53)), 1],
    ['an address and a node port', filter(end('10.0.0.1', 53), end('10.0.0.2', 30_053)), 2],
    ['many addresses with one port', filter(...Array.from({ length: 50 }, (_, last) => end(`10.0.0.${last}`, 53))), 1],
    ['many ports of one address', filter(...Array.from({ length: 50 }, (_, port) => end('10.0.0.1', port))), 1],
    ['two ports of one address of IPv6', { ...udp, family: 'IPv6', destinations: [end('fd00::1', 53), end('fd00::1', 54)] }, 2],
    ['many of both', filter(...Array.from({ length: 50 }, (_, each) => end(`10.0.0.${each}`, each))), 1],
    ['everything', udp, 1],
  ])('walks the table for %s as often as it pays', (_what, given, walks) => {
    const lists = listsOf(given)
    expect(lists).toHaveLength(walks)
    expect(lists.flatMap(({ destinations = [] }) => destinations)).toEqual(given.destinations ?? [])
  })
})

describe('the output of the tool', () => {
  const line =
    'ipv4     2 udp      17 99 src=10.1.1.2 dst=10.96.0.10 sport=4001 dport=53 src=10.1.1.3 dst=10.1.1.2 sport=5353 dport=4001 [ASSURED] mark=7 use=1 id=99'
  it('is read line by line', () => {
    expect(parseEntries(`${line}\n`, udp)).toEqual([entry])
    const unreplied = line.replace(' src=10.1.1.3', ' [UNREPLIED] src=10.1.1.3')
    expect(parseEntries(unreplied, udp)).toEqual([{ ...entry, replied: false }])
  })
  it.each([
    ['a state', line.replace('udp      17 99', 'tcp      6 431999 ESTABLISHED'), { family: 'IPv4', protocol: 'TCP' }],
    ['counters', line.replaceAll(/dport=\d+ /g, (port) => `${port}packets=1 bytes=29 `), udp],
    ['an offloaded flow', line.replace('17 99 src', '17 src').replace('ASSURED', 'OFFLOAD'), udp],
    ['a label and a security context', line.replace('use=1', 'secctx=a:b use=1 labels=x'), udp],
    [
      'IPv6',
      'ipv6     10 udp      17 99 src=fd00::1 dst=fd00::2 sport=1 dport=2 src=fd00::3 dst=fd00::1 sport=3 dport=1 mark=0 use=1 id=1',
      { family: 'IPv6', protocol: 'UDP' },
    ],
  ] as const)('may have %s', (_what, text, filter) => expect(parseEntries(text, filter)).toHaveLength(1))
  it('leaves out other zones', () => {
    expect(parseEntries(line.replace('use=1', 'zone=5 use=1'), udp)).toEqual([])
    expect(parseEntries(line.replace('use=1', 'zone-orig=5 use=1'), udp)).toEqual([])
  })
  it.each([
    ['cut off', line.slice(0, 60)],
    ['without id', line.replace(' id=99', '')],
    ['of another family', line.replace('ipv4     2', 'ipv6     10')],
    ['of another protocol', line.replace('udp      17', 'tcp      6')],
    ['with a hostname', line.replace('dst=10.96.0.10', 'dst=web.example')],
    ['with words at its end', `${line} and more`],
  ])('is refused when a line is %s', (_what, text) => expect(() => parseEntries(text, udp)).toThrow('is not understood'))
})

describe('what is missing', () => {
  const failing =
    (code: string, stderr = ''): Exec =>
    () =>
      Promise.reject(
        new HostError('command conntrack not found; install it: apt-get install conntrack', { code, stderr, command: [] }),
      )
  const answers =
    (stdout: string): Exec =>
    async () => ({ stdout, stderr: '', code: 0 })
  it.each([
    ['the package', failing('ENOENT'), 'apt-get install conntrack'],
    ['rights', failing('EEXIT', 'sorry, you must be root or get CAP_NET_ADMIN capability to do this'), 'grant CAP_NET_ADMIN'],
    ['a newer version', answers('conntrack v1.4.6 (conntrack-tools)'), 'is too old; install conntrack 1.4.7'],
    ['a version', answers('something'), 'is too old'],
    ['the module', failing('EEXIT', 'Protocol not supported'), 'nf_conntrack_netlink'],
  ])('is named: %s', async (_what, exec, words) => expect(await createConntrackTool(exec).probe()).toContain(words))
  it('is told together with why the C library cannot be called', async () => {
    const opened = await openConntrack({ libc: { missing: 'koffi cannot be loaded' }, exec: failing('ENOENT') })
    expect(opened).toEqual({ missing: expect.stringMatching(/apt-get install conntrack; and not by netlink: koffi cannot/) })
  })
  it('makes the tool the way in', async () => {
    const exec = answers('conntrack v1.4.8 (conntrack-tools)')
    expect(await openConntrack({ libc: { missing: 'no koffi' }, exec })).toMatchObject({ by: 'tool', fallback: 'no koffi' })
  })
})
