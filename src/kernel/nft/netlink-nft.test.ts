import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, realExec } from '../../host/index.ts'
import { loadLibc } from '../../host/native/index.ts'
import { type Command, createNft } from './index.ts'

const table = { family: 'ip', name: 'fairway-nft' } as const
const some: readonly Command[] = [
  { kind: 'add set', set: { name: 'numbers', type: ['mark', 'classid'], data: ['classid'] } },
  { kind: 'add set', set: { name: 'others', type: ['mark', 'classid'], data: ['classid'] } },
]
const namespace = `fnfn${process.pid % 100_000}`
const inNamespace: Exec = (argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options)
const canTry = await realExec(['nft', '--version']).then(
  () => process.getuid?.() === 0,
  () => false,
)
const libc = await loadLibc()

/** Every statement that `writeRule` knows, in chains that hold. */
const everyStatement = (ip: 'ip' | 'ip6'): readonly Command[] => {
  const address = ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const frontend = [address, 'inet_proto', 'inet_service']
  const key = `${ip} daddr . meta l4proto . th dport`
  const client = ip === 'ip' ? 'ct mark . ip saddr' : 'ct mark'
  return [
    { kind: 'add set', set: { name: 'pods', type: [address], flags: ['interval'] } },
    { kind: 'add set', set: { name: 'allowed', type: [...frontend, address], flags: ['interval'] } },
    { kind: 'add set', set: { name: 'frontends', type: frontend } },
    { kind: 'add set', set: { name: 'services', type: frontend, data: ['classid'] } },
    { kind: 'add set', set: { name: 'ports', type: frontend, data: ['mark'] } },
    { kind: 'add set', set: { name: 'verdicts', type: ['classid'], data: ['verdict'] } },
    { kind: 'add set', set: { name: 'endpoints', type: [...frontend, 'classid'], data: [address, 'inet_service'] } },
    {
      kind: 'add set',
      set: {
        name: 'affinity',
        type: ip === 'ip' ? ['mark', address] : ['mark'],
        data: ['classid'],
        size: 16,
        flags: ['dynamic', 'timeout'],
      },
    },
    { kind: 'add chain', chain: { name: 'there' } },
    { kind: 'add chain', chain: { name: 'masquerading' } },
    { kind: 'add chain', chain: { name: 'pre', hook: { type: 'nat', hook: 'prerouting', priority: -100 } } },
    { kind: 'add chain', chain: { name: 'post', hook: { type: 'nat', hook: 'postrouting', priority: 100 } } },
    {
      kind: 'set rules',
      chain: 'there',
      rules: [
        'meta l4proto tcp reject with tcp reset',
        'reject',
        'meta l4proto udp return',
        'meta l4proto sctp drop',
        'accept',
        `meta l4proto tcp dnat ${ip} to ${key} . meta priority map @endpoints`,
      ],
    },
    {
      kind: 'set rules',
      chain: 'pre',
      rules: [
        `${ip} saddr @pods jump there`,
        'fib saddr type local goto there',
        `${key} @frontends ${key} . ${ip} saddr != @allowed drop`,
        `meta priority set ${key} map @services meta priority vmap @verdicts`,
        'meta priority set numgen random mod 3 offset 32769',
        `ct mark set ${key} map @ports`,
        'ct mark != 0 goto there',
        'ct mark set 0',
        `ct mark set jhash ${ip} saddr . ct mark mod 4294967295 seed 0xfa1`,
        `meta priority set ${client} map @affinity goto there`,
        `update @affinity { ${client} timeout 30s : meta priority }`,
        `delete @affinity { ${client} : meta priority }`,
      ],
    },
    { kind: 'set rules', chain: 'post', rules: ['ct status dnat goto masquerading'] },
    {
      kind: 'set rules',
      chain: 'masquerading',
      rules: [
        `meta l4proto tcp ct original ${ip} daddr . meta l4proto . ct original proto-dst @frontends masquerade fully-random`,
      ],
    },
  ]
}

// Without root there is no namespace, without the tool nobody else to compare with.
describe.skipIf(!canTry || 'missing' in libc)('nftables in process', () => {
  const nft = createNft(inNamespace, { libc, namespace: `/run/netns/${namespace}` })
  beforeAll(async () => void (await realExec(['ip', 'netns', 'add', namespace])))
  afterAll(async () => {
    await nft.close()
    await realExec(['ip', 'netns', 'del', namespace])
  })
  it('says what an ordinary user lacks, and which namespace there is not', async () => {
    const program = `
      const { createNft } = await import('./src/kernel/nft/index.ts')
      const { loadLibc } = await import('./src/host/native/index.ts')
      const libc = await loadLibc()
      for (const rest of [{}, { namespace: '/proc/1/ns/net' }]) console.log(await createNft(() => {}, { libc, ...rest }).probe())`
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program]
    const { stdout } = await realExec(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...node])
    const words = 'nft: no permission to change packet rules; run as root or grant CAP_NET_ADMIN\n'
    expect(stdout).toBe(words + words)
    if ('missing' in libc) return
    expect(await createNft(inNamespace, { libc, namespace: '/run/netns/there-is-none' }).probe()).toMatch(
      /^nft: network namespace \/run\/netns\/there-is-none cannot be opened: ENOENT/,
    )
  })
  it('notices what others do while a large change is not watched', async () => {
    const stop = new AbortController()
    await nft.commit({ table, commands: [{ kind: 'delete table' }, { kind: 'add table' }, ...some] })
    const heard = new Promise<string>((resolve) => void nft.watch([table], resolve, stop.signal))
    const many = Array.from({ length: 20_000 }, (_, index) => ({ set: 'numbers', key: `${index} . 0:1`, value: '0:1' }))
    const own = nft.commit({ table, commands: [{ kind: 'add elements', elements: many }] })
    await inNamespace(['nft', 'delete', 'map', 'ip', table.name, 'others'])
    await own
    expect(await heard).toMatch(/nft|somebody/)
    stop.abort()
  })
  it('makes of rules what the tool makes of them', async () => {
    for (const family of ['ip', 'ip6'] as const) {
      const texts: string[] = []
      for (const [name, each] of [
        ['tool', createNft(inNamespace)],
        ['process', nft],
      ] as const) {
        await each.commit({
          table: { family, name: `rules-${name}` },
          commands: [{ kind: 'add table' }, ...everyStatement(family)],
        })
        const { stdout } = await inNamespace(['nft', '--debug=netlink', 'list', 'table', family, `rules-${name}`])
        texts.push(
          stdout.replaceAll(`rules-${name}`, 'rules').replace(/^ +\[ byteorder reg \d+ = hton\(reg \d+, 2, 1\) \]\n/gm, ''),
        )
      }
      expect(texts[1]).toBe(texts[0])
      expect(texts[0]).toContain('goto -> there')
    }
  })
  it('keeps a table that another process holds for itself, and says so', async () => {
    const held = { family: 'ip', name: 'held' } as const
    const owner = spawn('ip', ['netns', 'exec', namespace, 'nft', '--interactive'], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      owner.stdin.write('add table ip held { flags owner; }\nlist tables\n')
      await once(owner.stdout, 'data')
      expect((await nft.readTable(held))?.flags).toEqual(['owner'])
      expect((await createNft(inNamespace).readTable(held))?.flags).toEqual(['owner'])
      await expect(nft.commit({ table: held, commands: [{ kind: 'add chain', chain: { name: 'c' } }] })).rejects.toMatchObject({
        code: 'EPERM',
      })
    } finally {
      const exited = once(owner, 'exit')
      owner.kill()
      await exited
    }
  })
  it('says of a table that it is dormant, and wakes it', async () => {
    const sleeping = { family: 'ip', name: 'sleeping' } as const
    await inNamespace(['nft', 'add', 'table', 'ip', 'sleeping', '{ flags dormant ; }'])
    expect((await nft.readTable(sleeping))?.flags).toEqual(['dormant'])
    expect((await createNft(inNamespace).readTable(sleeping))?.flags).toEqual(['dormant'])
    await nft.commit({ table: sleeping, commands: [{ kind: 'add table' }] })
    expect((await nft.readTable(sleeping))?.flags).toBeUndefined()
  })
})
