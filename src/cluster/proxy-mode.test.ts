import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../base/index.ts'
import { type Host, HostError, realHost } from '../host/index.ts'
import { openServiceMode, removeModes, type ServiceModeRequest } from './proxy-mode.ts'

/** A machine for an ordinary user, without a tool. */
const bare: Host = {
  ...realHost(),
  exec: async (argv) => {
    throw new HostError(`${argv[0]} is not installed`, { code: 'ENOENT', command: argv })
  },
  capabilities: async () => ({ ...(await realHost().capabilities()), isRoot: false, netAdmin: false, tools: new Map() }),
}
const loopback = { kind: 'loopback', reason: 'CAP_NET_ADMIN is missing; run as root' } as const

describe('the proxy mode of an instance', () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'fairway-mode-'))
  })
  afterEach(() => rm(dataDir, { recursive: true }))
  const request = (options: Partial<ServiceModeRequest['options']>): ServiceModeRequest => ({
    host: bare,
    options: {
      dataDir,
      network: loopback,
      podCidr: '127.244.0.0/24',
      proxyMode: 'auto',
      serviceCidrs: ['127.96.0.0/16'],
      ...options,
    },
    clock: realClock,
    log: silentLogger,
  })

  it.each<[string, Partial<ServiceModeRequest['options']>, RegExp]>([
    [
      'pods share the network of the machine',
      {},
      /the kernel cannot carry Services: pods share this machine's network: .* run as root$/,
    ],
    [
      'pods have IPv6 addresses',
      { network: { kind: 'netns' }, podCidr: 'fd00::/64' },
      /the kernel cannot carry Services: .*IPv6/,
    ],
  ])('is userspace by itself where %s', async (_, options, reason) => {
    const { mode, isInKernel, ...rest } = await openServiceMode(request(options))
    expect([mode, isInKernel]).toEqual(['userspace', false])
    expect(rest.reason).toMatch(/^userspace: sockets of this process; /)
    expect(rest.reason).toMatch(reason)
  })

  it.each(['nftables', 'iptables', 'ipvs', 'ebpf'] as const)('is refused in one line when %s was named', async (proxyMode) => {
    const refusal = new RegExp(
      `^--proxy-mode=${proxyMode} cannot be used here: pods share this machine's network: [^\n]*run as root$`,
    )
    await expect(openServiceMode(request({ proxyMode }))).rejects.toThrow(refusal)
  })

  it('is remembered in the data folder until cleanup', async () => {
    const { takeOver } = await openServiceMode(request({ proxyMode: 'userspace' }))
    await takeOver()
    expect(await readFile(join(dataDir, 'proxy-mode'), 'utf8')).toBe('userspace\n')
    expect(await removeModes(request({}))).toMatchObject({ removed: [], failed: [] })
    await expect(readFile(join(dataDir, 'proxy-mode'))).rejects.toThrow('ENOENT')
  })
})
