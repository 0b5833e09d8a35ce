import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Exec, realExec, realHost } from '../../host/index.ts'
import { instanceTag } from './instance.ts'
import { createIpTool } from './ip-tool.ts'
import { createLinks } from './links.ts'

const { networkNamespaces } = await realHost().capabilities()
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
  const nothing = { links: [], namespaces: [], localRoutes: [] }

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
    expect(commands.filter((command) => !command.includes(' show ') && !command.includes(' list'))).toEqual([])
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

  it('sees and removes only its own', async () => {
    const other = createLinks(realExec, instanceTag(`/links-test/other/${process.pid}`))
    await links.ensureBridge(bridge)
    await links.ensureLocalRoute('10.253.64.0/18')
    expect(await other.listOwned()).toEqual(nothing)
    await other.removeOwned()
    expect(await links.listOwned()).toEqual({ links: [bridge.name], namespaces: [], localRoutes: ['10.253.64.0/18'] })
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
