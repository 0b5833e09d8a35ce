import { describe, expect, it } from 'vitest'
import type { Service } from '../../../../api/index.ts'
import { HostError } from '../../../../host/index.ts'
import { draining, endpoint, ready, slice, unready, vips } from '../../../../model/testing/index.ts'
import { formatPlacement, PLACEMENT_ANNOTATION } from '../../../placement.ts'
import { testService } from '../../../testing/services.ts'
import { leaseName } from './announcer.ts'
import { mayAnnounce } from './desired.ts'
import { announcementFrames, parseMac } from './frames.ts'
import { createTeller } from './teller.ts'

const mac = parseMac('52:54:00:12:34:56') ?? new Uint8Array()
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')

describe('the frames', () => {
  it('of IPv4 are a gratuitous ARP request and reply', () => {
    const [request, reply] = announcementFrames({ mac, address: '192.0.2.1' })
    const head = 'ffffffffffff5254001234560806000108000604'
    expect(hex(request)).toBe(`${head}0001525400123456c0000201000000000000c0000201`)
    expect(hex(reply)).toBe(`${head}0002525400123456c0000201ffffffffffffc0000201`)
  })

  it('of IPv6 is a neighbour advertisement to all nodes, whose checksum comes out right', () => {
    const [frame = new Uint8Array()] = announcementFrames({ mac, address: '2001:db8::1' })
    expect(hex(frame.subarray(0, 14))).toBe('33330000000152540012345686dd')
    const [header, message] = [frame.subarray(14, 54), frame.subarray(54)]
    expect(message[0]).toBe(136)
    // RFC 1071: with its checksum in it everything adds up to 0xffff.
    const pseudo = [...header.subarray(8, 40), 0, 0, 0, message.length, 0, 0, 0, 58, ...message]
    let sum = 0
    for (let at = 0; at < pseudo.length; at += 2) sum += ((pseudo[at] ?? 0) << 8) + (pseudo[at + 1] ?? 0)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
    expect(sum).toBe(0xffff)
  })

  it.each(['', '52:54', '52:54:00:12:34:5g', '00'])('need a link-layer address, which %j is not', (text) => {
    expect(parseMac(text)).toBeUndefined()
  })
})

it.each([
  ['192.0.2.1', 'fairway-address-192.0.2.1'],
  ['2001:db8::1', 'fairway-address-2001-db8--1'],
  ['2001:db8::', 'fairway-address-2001-db8--0'],
  ['::1', 'fairway-address-0--1'],
])('the Lease of %s is %s', (address, name) => {
  expect(leaseName(address)).toBe(name)
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
})

describe('a node stands for', () => {
  const placed = (service: Service, provider = 'local'): Service => ({
    ...service,
    metadata: {
      ...service.metadata,
      annotations: { [PLACEMENT_ANNOTATION]: formatPlacement({ provider, key: 'k', token: 't' }) },
    },
    status: vips('192.0.2.1'),
  })
  const web = placed(testService('web', [80]))
  const local = (service: Service): Service => ({ ...service, spec: { ...service.spec, externalTrafficPolicy: 'Local' } })
  const on = (nodeName: string, state: object) => endpoint('10.0.0.1', { nodeName, ...state })

  it.each([
    ['what the local provider gave', web, [], ['192.0.2.1']],
    ['nothing of other providers', placed(web, 'tencent'), [], []],
    ['policy Local with a ready endpoint', local(web), [on('n1', ready)], ['192.0.2.1']],
    ['not policy Local without one', local(web), [on('n2', ready)], []],
    ['not policy Local where it is not ready', local(web), [on('n1', unready)], []],
    [
      'not policy Local with one that drains, while another node has a ready one',
      local(web),
      [on('n1', draining), on('n2', ready)],
      [],
    ],
    ['policy Local with one that drains, while nobody is ready', local(web), [on('n1', draining)], ['192.0.2.1']],
  ])('%s', (_, service, endpoints, expected) => {
    const slicesOf = () => [slice('web', endpoints)]
    expect(mayAnnounce({ services: [service], slicesOf, providerName: 'local', nodeName: 'n1', node: undefined })).toEqual(
      expected,
    )
  })

  it('nothing when it is excluded', () => {
    const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels }, spec: {} }
    expect(mayAnnounce({ services: [web], slicesOf: () => [], providerName: 'local', nodeName: 'n1', node })).toEqual([])
  })
})

describe('without the native library', () => {
  const device = { name: 'eth0', index: 2, mac, addresses: [] }
  const none = async () => ({ missing: 'koffi cannot be loaded' })

  it('arping tells of IPv4', async () => {
    const ran: string[] = []
    const teller = createTeller(none, async (argv) => {
      ran.push(argv.join(' '))
      return { stdout: '', stderr: '', code: 0 }
    })
    expect(await teller.tell(device, '192.0.2.1')).toBeUndefined()
    expect(ran).toEqual(['arping -U -c 1 -w 2 -I eth0 192.0.2.1'])
    expect(await teller.tell(device, '2001:db8::1')).toContain('arping has no IPv6')
  })

  it('and without arping it says what is missing', async () => {
    const teller = createTeller(none, async (argv) => {
      throw new HostError('arping: not found', { code: 'ENOENT', command: argv })
    })
    expect(await teller.tell(device, '192.0.2.1')).toContain('arping: not found')
  })
})
