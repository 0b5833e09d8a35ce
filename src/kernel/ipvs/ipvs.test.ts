import { describe, expect, it } from 'vitest'
import { type Exec, HostError } from '../../host/index.ts'
import { createIpvs, type Operation, renderOperation, type VirtualServer } from './index.ts'
import { ipvsConformance } from './ipvs.conformance.ts'
import { parseLoads, parseSaved, parseTimeouts } from './read-back.ts'
import { fakeIpvs } from './testing/index.ts'

// The kernel is asked the same in the virtual machine of test/vm: few kernels that tests run on have ip_vs.
const shared = fakeIpvs()
ipvsConformance('fake', () => ({ ipvs: shared, clear: async () => shared.clear() }))

const web: VirtualServer = { protocol: 'tcp', address: '10.96.0.10', port: 80, scheduler: 'rr' }

describe('rendering', () => {
  it.each<readonly [string, Operation]>([
    ['an address', { kind: 'delete server', server: { ...web, address: '1.2.3.4\n-C' } }],
    ['a scheduler', { kind: 'add server', server: { ...web, scheduler: 'rr -o' } }],
    ['a real server', { kind: 'delete real', server: web, real: { address: 'a', port: 1 } }],
  ])('refuses %s that could end its line', (_, operation) =>
    expect(() => renderOperation(operation)).toThrow('is not plain text'),
  )
})

describe('reading back', () => {
  it('leaves out servers of firewall marks, and keeps what others set apart', () => {
    const text = `-A -t 10.0.0.1:80 -s sh -p 100 -b sh-fallback,sh-port
-a -t 10.0.0.1:80 -r 10.1.1.1:8080 -g -w 1
-A -f 4660 -s rr -p 30
-a -f 4660 -r 10.1.1.4:8080 -m -w 1
`
    expect(parseSaved(text)).toEqual([
      {
        protocol: 'tcp',
        address: '10.0.0.1',
        port: 80,
        scheduler: 'sh',
        persistentSeconds: 100,
        others: '-b sh-fallback,sh-port',
        reals: [{ address: '10.1.1.1', port: 8080, weight: 1, others: '-g' }],
      },
    ])
  })
  it.each([
    ['another command', '-E -t 10.0.0.1:80 -s rr'],
    ['a name instead of an address', '-A -t localhost:http -s rr'],
    ['a real server of no virtual server', '-a -t 10.0.0.1:80 -r 10.1.1.1:80 -m -w 1'],
    ['a real server without a weight', '-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.1.1:80 -m'],
  ])('refuses %s', (_, text) => expect(() => parseSaved(text)).toThrow('of an unknown form'))
  it('reads timeouts', () => {
    expect(parseTimeouts('Timeout (tcp tcpfin udp): 900 120 300\n')).toEqual({ tcp: 900, tcpFin: 120, udp: 300 })
    expect(() => parseTimeouts('Timeout (tcp): 900\n')).toThrow('of an unknown form')
  })
  it('reads the connections of one virtual server', () => {
    const text = `Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.10:80 rr
  -> 10.1.1.2:8080                Masq    1      12345678   3         
`
    expect(parseLoads(text)).toEqual([{ address: '10.1.1.2', port: 8080, weight: 1, active: 12_345_678, inactive: 3 }])
    expect(() => parseLoads('  -> 10.1.1.2:8080 Masq 1 many 3')).toThrow('of an unknown form')
  })
})

describe('through ipvsadm', () => {
  const answers =
    (answer: { stdout?: string; stderr?: string; code?: number }): Exec =>
    async () => ({ stdout: '', stderr: '', code: 0, ...answer })
  const failing =
    (details: { code: string; stderr?: string }): Exec =>
    () =>
      Promise.reject(
        new HostError('command ipvsadm not found; install it: apt-get install ipvsadm', { command: ['ipvsadm'], ...details }),
      )
  it.each([
    ['the package that is missing', { code: 'ENOENT' }, 'apt-get install ipvsadm'],
    [
      'that rights are missing',
      { code: 'EEXIT', stderr: "Can't initialize ipvs: Permission denied (you must be root)" },
      'CAP_NET_ADMIN',
    ],
    [
      'that the kernel lacks it',
      { code: 'EEXIT', stderr: "Can't initialize ipvs: Protocol not available" },
      'load module ip_vs,',
    ],
    ['that it lacks the scheduler', { code: 'EEXIT', stderr: 'Scheduler or persistence engine not found' }, 'ip_vs_mh'],
  ])('says %s', async (_, details, message) => expect(await createIpvs(failing(details)).probe('mh')).toContain(message))
  it('fails on a refusal that its exit code hides', async () => {
    const ipvs = createIpvs(answers({ stderr: 'Service already exists\n' }))
    await expect(ipvs.commit([{ kind: 'add server', server: web }])).rejects.toThrow('Service already exists')
  })
})

describe('scheduling on the fake', () => {
  const packet = (source: string) => ({ source, destination: { address: '10.96.0.10', port: 80 }, protocol: 'tcp' as const })
  const opened = async (server: VirtualServer, weights: readonly number[], now?: () => number) => {
    const ipvs = fakeIpvs(now)
    await ipvs.commit([
      { kind: 'add server', server },
      ...weights.map((weight, index) => ({
        kind: 'add real' as const,
        server,
        real: { address: `10.1.1.${index + 1}`, port: 8080, weight },
      })),
    ])
    const taken = (source: string): string | undefined => {
      const outcome = ipvs.schedule(packet(source))
      return outcome.kind === 'real' ? outcome.real.address : undefined
    }
    return { ipvs, taken }
  }
  it('takes turns, and passes over a weight of 0', async () => {
    const { taken } = await opened(web, [1, 0, 1])
    expect(new Set([taken('a'), taken('a')])).toEqual(new Set(['10.1.1.1', '10.1.1.3']))
  })
  it('refuses where all weights are 0, and leaves alone what is no virtual server', async () => {
    const { ipvs } = await opened(web, [0])
    expect(ipvs.schedule(packet('a'))).toEqual({ kind: 'refused' })
    expect(ipvs.schedule({ ...packet('a'), protocol: 'udp' })).toEqual({ kind: 'none' })
  })
  it('keeps a persistent client until its time is over or its server has weight 0', async () => {
    let time = 0
    const { ipvs, taken } = await opened({ ...web, persistentSeconds: 30 }, [1, 1, 1], () => time)
    const first = taken('a')
    time = 29
    expect(taken('a')).toBe(first)
    time = 58
    expect(taken('a')).toBe(first)
    time = 100
    expect(taken('a')).not.toBe(first)
    const now = taken('a') ?? ''
    await ipvs.commit([{ kind: 'edit real', server: web, real: { address: now, port: 8080, weight: 0 } }])
    expect(taken('a')).not.toBe(now)
  })
  it('chooses the least loaded with lc, and one for each client with sh', async () => {
    const least = await opened({ ...web, scheduler: 'lc' }, [1, 1])
    const held = least.ipvs.connect(packet('a'))
    expect(least.taken('a')).not.toBe(held.real.address)
    const hashed = await opened({ ...web, scheduler: 'sh' }, [1, 1, 1])
    expect(hashed.taken('a')).toBe(hashed.taken('a'))
  })
  it('ends what a real server carries when it is deleted', async () => {
    const { ipvs } = await opened(web, [1])
    const held = ipvs.connect(packet('a'))
    await ipvs.commit([{ kind: 'edit real', server: web, real: { ...held.real, weight: 0 } }])
    expect(held.isCarried()).toBe(true)
    expect(await ipvs.loads(web)).toMatchObject([{ active: 1 }])
    await ipvs.commit([{ kind: 'delete real', server: web, real: held.real }])
    expect(held.isCarried()).toBe(false)
  })
})
