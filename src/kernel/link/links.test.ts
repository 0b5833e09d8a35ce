import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Exec, realExec, realHost } from '../../host/index.ts'
import type { BetweenPorts } from './bridge.ts'
import { instanceTag } from './instance.ts'
import { createIpTool } from './ip-tool.ts'
import { createLinks } from './links.ts'
import { createSysctls } from './sysctl.ts'

const { networkNamespaces, tools } = await realHost().capabilities()
const hasFilter = await createLinks(realExec, instanceTag('/links-test')).hasBridgeFilter()
const reason = networkNamespaces.usable ? '' : ` (skipped: ${networkNamespaces.reason})`

describe.skipIf(!networkNamespaces.usable)(`links in the real kernel${reason}`, () => {
  const tag = instanceTag(`/links-test/${process.pid}`)
  const links = createLinks(realExec, tag)
  const bridge = { name: `${tag}-br`, addresses: ['10.253.7.1/24'] }
  const port = (index: number) => ({
    name: `${tag}-${index}`,
    namespace: `${tag}-${index}`,
    bridge: bridge.name,
    addresses: [`10.253.7.${index}/24`],
    gateways: ['10.253.7.1'],
  })
  const nothing = { links: [], namespaces: [], localRoutes: [], routes: [] }

  afterEach(async () => {
    await links.removeOwned()
    expect(await links.listOwned()).toEqual(nothing)
  })

  it('connects two namespaces and the host over a bridge', async () => {
    await links.ensureBridge(bridge)
    await links.ensurePort(port(5))
    await links.ensurePort(port(6))
    for (const target of ['10.253.7.1', '10.253.7.6']) {
      const answer = await realExec(['ip', 'netns', 'exec', `${tag}-5`, 'bash', '-c', `exec 3<>/dev/tcp/${target}/9`], {
        okCodes: [1],
      })
      expect(answer.stderr).toContain('Connection refused')
    }
  })

  it('makes nothing when all is right, and repairs what is wrong', async () => {
    const commands: string[] = []
    const watching: Exec = (argv, options) => {
      commands.push(`${argv.join(' ')} ${options?.stdin ?? ''}`)
      return realExec(argv, options)
    }
    const watched = createLinks(watching, tag)
    await watched.ensureBridge(bridge)
    await watched.ensurePort(port(5))
    commands.length = 0
    await watched.ensureBridge(bridge)
    await watched.ensurePort(port(5))
    expect(commands.filter((command) => !/ show | list|cat "\/proc/.test(command))).toEqual([])
    await realExec(['ip', 'netns', 'exec', `${tag}-5`, 'ip', 'addr', 'flush', 'dev', 'eth0'])
    await realExec(['ip', 'addr', 'add', '10.253.8.1/24', 'dev', bridge.name])
    await watched.ensureBridge(bridge)
    await watched.ensurePort(port(5))
    const ip = createIpTool(realExec)
    const inside = JSON.stringify(await ip.show(['addr', 'show', 'dev', 'eth0'], `${tag}-5`))
    expect(inside).toContain('10.253.7.5')
    expect(JSON.stringify(await ip.show(['addr', 'show', 'dev', bridge.name]))).not.toContain('10.253.8.1')
  })

  it('replaces a leftover namespace without its link, and takes over a name that is no bridge', async () => {
    await realExec(['ip', 'netns', 'add', `${tag}-5`])
    await realExec(['ip', 'link', 'add', bridge.name, 'type', 'veth', 'peer', 'name', `${tag}-p`])
    await links.ensureBridge(bridge)
    await links.ensurePort(port(5))
    expect((await links.listOwned()).links.toSorted()).toEqual([`${tag}-5`, bridge.name].toSorted())
  })

  it('keeps the address of a bridge when its ports change', async () => {
    await links.ensureBridge(bridge)
    const ip = createIpTool(realExec)
    const mac = async () => (await ip.show(['link', 'show', 'dev', bridge.name]))[0]?.['address']
    const before = await mac()
    await links.ensurePort(port(5))
    expect(await mac()).toBe(before)
    await links.removePort(port(5))
    expect(await mac()).toBe(before)
  })

  it('owns and gives back local routes of both families', async () => {
    for (const cidr of ['10.253.64.0/18', 'fd53::/112']) {
      await links.ensureLocalRoute(cidr)
      await links.ensureLocalRoute(cidr)
    }
    expect((await links.listOwned()).localRoutes).toEqual(['10.253.64.0/18', 'fd53::/112'])
  })

  it('makes every address of an IPv4 range bindable, and takes it back', async () => {
    const [cidr, address] = ['10.253.64.0/18', '10.253.65.66']
    await links.ensureLocalRoute(cidr)
    const server = createServer((socket) => socket.end()).listen(0, address)
    await once(server, 'listening')
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('not bound')
    const client = connect(bound.port, address)
    await once(client, 'connect')
    client.destroy()
    server.close()
    await links.removeLocalRoute(cidr)
    await links.removeLocalRoute(cidr)
    const second = createServer().listen(0, address)
    const [error] = await once(second, 'error')
    expect(error).toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  it('makes one IPv6 address bindable at once, no source of its own, and takes it back', async () => {
    const [cidr, address] = ['fd53:1::66/128', 'fd53:1::66']
    await links.ensureLocalRoute('fd53:1::/112')
    await links.ensureLocalRoute(cidr)
    await links.ensureLocalRoute(cidr)
    const server = createServer((socket) => socket.end()).listen(0, address)
    await once(server, 'listening')
    server.close()
    const ip = createIpTool(realExec)
    const onLoopback = async () => JSON.stringify(await ip.show(['-6', 'addr', 'show', 'dev', 'lo', 'to', cidr]))
    expect(await onLoopback()).toContain('"deprecated":true')
    expect((await links.listOwned()).localRoutes).toEqual([address, 'fd53:1::/112'])
    await links.removeOwned()
    expect(await onLoopback()).toBe('[]')
    expect(await links.listOwned()).toEqual(nothing)
    await links.removeLocalRoute(cidr)
  })

  it("leads a range to the bridge, from the bridge's address, until it is taken back", async () => {
    await links.ensureBridge(bridge)
    const route = { cidr: '10.253.64.0/18', device: bridge.name, source: '10.253.7.1' }
    await links.ensureRoute(route)
    await links.ensureRoute(route)
    const ip = createIpTool(realExec)
    const way = async () => (await ip.show(['route', 'get', '10.253.65.66']))[0]
    expect(await way()).toMatchObject({ dev: bridge.name, prefsrc: '10.253.7.1' })
    expect((await links.listOwned()).routes).toEqual(['10.253.64.0/18'])
    await links.removeOwned((owned) => ({ ...nothing, routes: owned.routes }))
    expect(await links.listOwned()).toEqual({ ...nothing, links: [bridge.name] })
  })

  it('sees and removes only its own', async () => {
    const other = createLinks(realExec, instanceTag(`/links-test/other/${process.pid}`))
    await links.ensureBridge(bridge)
    await links.ensureLocalRoute('10.253.64.0/18')
    expect(await other.listOwned()).toEqual(nothing)
    await other.removeOwned()
    expect(await links.listOwned()).toEqual({ ...nothing, links: [bridge.name], localRoutes: ['10.253.64.0/18'] })
  })

  it('names the command that failed', async () => {
    const bad = { ...port(5), bridge: `${tag}-none` }
    await expect(links.ensurePort(bad)).rejects.toThrow(
      new RegExp(`link set ${tag}-5 master ${tag}-none up .*Device does not exist`),
    )
  })

  it.each([
    { name: 'eth0' },
    { namespace: 'default' },
    { addresses: ['10.0.0.1/24\nlink del lo'] },
    { name: `${tag}-123456789` },
  ])('refuses %j', async (wrong) => {
    await links.ensureBridge(bridge)
    await expect(links.ensurePort({ ...port(5), ...wrong })).rejects.toThrow()
  })
})

/** A machine of its own, so that its packet filter and its settings can be told. `nsenter` keeps the mounts, and with them the names of namespaces. */
const machineReason = networkNamespaces.usable && !tools.has('nft') ? ' (skipped: nft is missing)' : reason
describe.skipIf(machineReason !== '')(`how packets get from port to port, on a machine of its own${machineReason}`, () => {
  const tag = instanceTag(`/links-between/${process.pid}`)
  const machine = `lb${process.pid}`
  const inMachine: Exec = (argv, options) => realExec(['nsenter', `--net=/run/netns/${machine}`, ...argv], options)
  const links = createLinks(inMachine, tag)
  const sysctls = createSysctls(inMachine)
  const bridge = { name: `${tag}-br`, addresses: ['10.253.9.1/24'], forwards: true }
  const port = (index: number, isolated: boolean) => ({
    name: `${tag}-${index}`,
    namespace: `${tag}-${index}`,
    bridge: bridge.name,
    addresses: [`10.253.9.${index}/24`],
    gateways: ['10.253.9.1'],
    isolated,
  })
  const servers: ChildProcess[] = []
  // Connections to 10.253.99.N port 80 go to port N's own server.
  const RULES = `table ip t {
    chain dispatch { ip daddr 10.253.99.5 tcp dport 80 dnat to 10.253.9.5:8080
      ip daddr 10.253.99.6 tcp dport 80 dnat to 10.253.9.6:8080
    }
    chain pre { type nat hook prerouting priority -100 ; goto dispatch ; }
    chain post { type nat hook postrouting priority 100 ;
      ct status dnat ip saddr 10.253.9.5 ip daddr 10.253.9.5 masquerade
    }
  }`
  const SERVE = `require('net').createServer((s) => { s.on('error', () => {}); s.end(process.argv[1] + ' ' + s.remoteAddress); s.resume() }).listen(8080, process.argv[1], () => console.log('up'))`
  const ASK = `const s = require('net').connect(80, process.argv[1]); s.on('data', (d) => { console.log(String(d)); process.exit() })
    s.on('error', () => {}); setTimeout(() => { console.log('nothing'); process.exit() }, 1000)`
  const run = (namespace: string, script: string, ...args: string[]) =>
    ['ip', 'netns', 'exec', namespace, process.execPath, '-e', script, ...args] as const

  beforeEach(async () => {
    await realExec(['ip', 'netns', 'add', machine])
    // As a machine without br_netfilter, but for bridges that ask for it.
    await sysctls.ensure({ 'bridge/bridge-nf-call-iptables': '0' })
    await inMachine(['nft', '-f', '-'], { stdin: RULES })
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
    }
    await links.removeOwned()
    await realExec(['ip', 'netns', 'del', machine])
  })

  const build = async (between: BetweenPorts): Promise<void> => {
    await links.ensureBridge({ ...bridge, between })
    for (const index of [5, 6]) {
      await links.ensurePort(port(index, between === 'routed'))
      const [file, ...args] = run(`${tag}-${index}`, SERVE, `10.253.9.${index}`)
      const server = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      servers.push(server)
      await once(server.stdout, 'data')
    }
  }
  const ask = async (address: string): Promise<string> => (await realExec(run(`${tag}-5`, ASK, address))).stdout.trim()
  const modes: readonly BetweenPorts[] = hasFilter ? ['filtered', 'routed'] : ['routed']
  it.each(modes)('%s: packets to another port, and to itself, can be rewritten by the node', async (between) => {
    await build(between)
    expect(await ask('10.253.99.6')).toBe('10.253.9.6 10.253.9.5')
    expect(await ask('10.253.99.5')).toBe('10.253.9.5 10.253.9.1')
  })

  it('bridged: answers pass the node by, so that what it rewrites gets no answer', async () => {
    await build('bridged')
    expect(await ask('10.253.99.6')).toBe('nothing')
  })

  it.skipIf(!hasFilter)('changes from routed to filtered while it is in use, as when br_netfilter is loaded', async () => {
    await build('routed')
    await links.ensureBridge({ ...bridge, between: 'filtered' })
    expect(await ask('10.253.99.6')).toBe('nothing')
    for (const index of [5, 6]) await links.ensurePort(port(index, false))
    expect(await ask('10.253.99.6')).toBe('10.253.9.6 10.253.9.5')
  })

  it('forwards what comes from its own bridge and nothing else', async () => {
    await links.ensureBridge({ ...bridge, between: 'routed' })
    const names = ['all', 'default', 'lo', bridge.name].map((device) => `ipv4/conf/${device}/forwarding`)
    expect(await sysctls.read(names)).toEqual(['0', '0', '0', '1'])
  })
})
