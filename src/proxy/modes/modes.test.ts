import { describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import { cleanupModes, type ModeDeps, openBackend, PROXY_MODES } from './index.ts'

/** A machine that has some tools, each with what it does. */
const machine = (tools: Readonly<Record<string, (argv: readonly string[]) => string>>): Exec => {
  return async (argv) => {
    const [command] = argv
    const tool = tools[command]
    if (tool === undefined) {
      throw new HostError(`${command} is not installed; apt-get install ${command}`, { code: 'ENOENT', command: argv })
    }
    return { stdout: tool(argv), stderr: '', code: 0 }
  }
}

const failing = (stderr: string) => (argv: readonly string[]) => {
  throw new HostError(`${argv[0]}: ${stderr}`, { code: 'EXIT', command: argv, stderr })
}

const nft =
  (tables: readonly string[] = []) =>
  (argv: readonly string[]): string => {
    if (argv.includes('--version')) return 'nftables v1.0.6 (Lester Gooch #5)'
    if (!argv.includes('list')) return ''
    const name = argv.slice(-2).join(' ')
    if (!tables.includes(name)) return failing('Error: No such file or directory')(argv)
    return JSON.stringify({ nftables: [{ table: { family: argv.at(-2), name: argv.at(-1) } }] })
  }

const deps = (exec: Exec, rest: Partial<ModeDeps> = {}): ModeDeps => ({
  exec,
  serviceCIDRs: ['127.66.0.0/16'],
  clock: realClock,
  log: silentLogger,
  ...rest,
})

describe('openBackend', () => {
  it('takes nftables by itself where it works', async () => {
    const { mode, reason, backend } = await openBackend('auto', deps(machine({ nft: nft() })))
    expect({ mode, reason }).toEqual({ mode: 'nftables', reason: 'nftables: nft 1.0.6, the kernel takes its maps' })
    expect(backend.mode).toBe('nftables')
  })

  it('ends at userspace by itself where no tool is installed, and says how to get them', async () => {
    const { mode, reason } = await openBackend('auto', deps(machine({})))
    expect(mode).toBe('userspace')
    expect(reason).toMatch(/^userspace: sockets of this process; nftables: nft is not installed; apt-get install nft/)
  })

  it.each([
    ['the tool is missing', machine({}), 'nft is not installed; apt-get install nft'],
    [
      'the tool is too old',
      machine({ nft: () => 'nftables v0.9.0 (Fearless Fosdick)' }),
      'version 0.9.0 is too old; install nftables 1.0.1 or newer',
    ],
    [
      'the privilege is missing',
      machine({ nft: (argv) => (argv.includes('--version') ? 'nftables v1.0.6' : failing('Operation not permitted')(argv)) }),
      'no permission to change packet rules',
    ],
  ])('refuses nftables in one line when %s', async (_title, exec, words) => {
    const failure = openBackend('nftables', deps(exec))
    await expect(failure).rejects.toMatchObject({ name: 'UserError' })
    await expect(failure).rejects.toThrow(`--proxy-mode=nftables cannot be used here: nftables: `)
    await expect(failure).rejects.toThrow(words)
  })

  it.each([
    ['in 127.0.0.0/8', {}, 'userspace'],
    [
      'anywhere where routes may be changed',
      { serviceCIDRs: ['10.96.0.0/16'], localAddresses: { ensure: async () => {}, release: async () => {} } },
      'userspace',
    ],
  ])('serves ranges %s in userspace', async (_title, rest, mode) => {
    expect((await openBackend('userspace', deps(machine({}), rest))).mode).toBe(mode)
  })

  it('refuses userspace for a range that this user cannot make local', async () => {
    await expect(
      openBackend('userspace', deps(machine({}), { serviceCIDRs: ['127.66.0.0/16', '10.96.0.0/16'] })),
    ).rejects.toThrow('this user may not make the service range 10.96.0.0/16 local; run as root, or use a range in 127.0.0.0/8')
  })

  it('replaces no named mode by another but ebpf, and says all reasons when nothing works', async () => {
    for (const mode of PROXY_MODES.filter((each) => each !== 'auto' && each !== 'userspace')) {
      const failure = openBackend(mode, deps(machine({})))
      await expect(failure, mode).rejects.toThrow(`--proxy-mode=${mode} cannot be used here: ${mode}: `)
    }
    await expect(openBackend('ebpf', deps(machine({})))).rejects.toThrow('; nftables: ')
    await expect(openBackend('auto', deps(machine({}), { serviceCIDRs: ['10.96.0.0/16'] }))).rejects.toThrow(
      '; userspace: this user',
    )
  })
})

describe('cleanupModes', () => {
  const routes = (...cidrs: readonly string[]) => {
    const present = new Set(cidrs)
    return {
      present,
      localAddresses: {
        ensure: async (cidr: string) => void present.add(cidr),
        release: async (cidr: string) => void present.delete(cidr),
        observe: async () => [...present],
      },
    }
  }

  it('tells what each mode left, and removes it', async () => {
    const { present, localAddresses } = routes('10.96.0.0/16', '192.0.2.7')
    const exec = machine({ nft: nft(['ip fairway', 'ip6 fairway']) })
    const { removed, failed } = await cleanupModes(deps(exec, { localAddresses }))
    expect(removed).toEqual([
      'nftables: table ip fairway',
      'nftables: table ip6 fairway',
      'userspace: local route 10.96.0.0/16',
      'userspace: local route 192.0.2.7',
    ])
    expect(failed).toEqual([])
    expect([...present]).toEqual([])
  })

  it('leaves the mode that goes on alone', async () => {
    const { present, localAddresses } = routes('10.96.0.0/16')
    const { removed } = await cleanupModes(deps(machine({ nft: nft() }), { localAddresses }), 'userspace')
    expect(removed).toEqual([])
    expect([...present]).toEqual(['10.96.0.0/16'])
  })

  it('goes on with the others when one mode fails', async () => {
    const { localAddresses } = routes('10.96.0.0/16')
    const { removed, failed } = await cleanupModes(deps(machine({ nft: failing('Operation not permitted') }), { localAddresses }))
    expect(removed).toEqual(['userspace: local route 10.96.0.0/16'])
    expect(failed).toContain('nftables: no permission to look for it; run as root')
  })

  it('says what it could not look for', async () => {
    const { removed, skipped, failed } = await cleanupModes(deps(machine({})))
    expect({ removed, failed }).toEqual({ removed: [], failed: [] })
    expect(skipped).toContain('nftables: nft is not installed; apt-get install nft')
  })
})
