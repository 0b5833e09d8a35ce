import { type Exec, HostError } from '../../host/index.ts'
import { formatAddress, readAddress } from '../../ip/index.ts'
import { probe } from './probe.ts'
import type { ConnectedSocket, SockDiag, SocketEnd } from './sockets.ts'
import { byNamespace, isConnectedTo } from './wanted.ts'

/**
 * {@link SockDiag} by `ss` of iproute2, through `nsenter`: the fallback where the C library cannot be called. Two processes for each namespace; `ss -K` compares no
 * cookie, so it ends whatever socket has the same two ends by then.
 */
export const createSocketTool = (exec: Exec): SockDiag => {
  const sockDiag: SockDiag = {
    probe: () => probe(sockDiag),
    async connectedTo(remotes, namespaces) {
      const isWanted = isConnectedTo(remotes)
      const found: ConnectedSocket[] = []
      if (remotes.length === 0) return found
      for (const namespace of namespaces) {
        const text = await ssIn(exec, namespace, ['-e', 'state', 'established'])
        found.push(...parseSockets(text, namespace).filter(isWanted))
      }
      return found
    },
    async destroy(sockets) {
      let ended = 0
      for (const [namespace, group] of byNamespace(sockets)) {
        for (const each of group) {
          const ends = ['src', written(each.local, each), 'dst', written(each.remote, each)]
          // It prints what it ended.
          ended += (await ssIn(exec, namespace, ['-K', ...ends])).split('\n').filter((line) => line !== '').length
        }
      }
      return ended
    },
  }
  return sockDiag
}

const ssIn = async (exec: Exec, namespace: string, args: readonly string[]): Promise<string> => {
  try {
    const { stdout } = await exec([
      'nsenter',
      `--net=${namespace}`,
      '--',
      'ss',
      '--no-header',
      '--numeric',
      '--udp',
      '--oneline',
      ...args,
    ])
    return stdout
  } catch (error) {
    // The namespace is gone, and its sockets with it.
    if (error instanceof HostError && /cannot open .*: No such file or directory/.test(error.stderr)) return ''
    throw error
  }
}

const written = ({ address, port }: SocketEnd, { family }: ConnectedSocket): string =>
  family === 'IPv4' ? `${address}:${port}` : `[${address.includes(':') ? address : `::ffff:${address}`}]:${port}`

/**
 * Lines of `ss -e`, strictly: fails on one that is not understood, because what is misread would be ended.
 *
 * `0 0 [::ffff:10.0.0.1]%eth0:34642 [::ffff:10.0.0.2]:9 ino:696031 sk:2 cgroup:/ <->`
 */
export const parseSockets = (text: string, namespace: string): readonly ConnectedSocket[] =>
  text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parseLine(line, namespace)]))

const LINE = /^\d+ +\d+ +(\S+):(\d+) +(\S+):(\d+) +(?:\S+ +)*?sk:([0-9a-f]+)(?: .*)?$/

const parseLine = (line: string, namespace: string): ConnectedSocket => {
  const [, from = '', fromPort, to = '', toPort, cookie] = LINE.exec(line.trim()) ?? []
  const [local, remote] = [addressOf(from), addressOf(to)]
  if (local === undefined || remote === undefined) {
    throw new Error(`sockets: line ${JSON.stringify(line.slice(0, 200))} of ss is not understood; another version than 6.1?`)
  }
  return {
    namespace,
    family: from.includes(':') ? 'IPv6' : 'IPv4',
    local: { address: local, port: Number(fromPort) },
    remote: { address: remote, port: Number(toPort) },
    interface: 0,
    cookie: BigInt(`0x${cookie}`),
  }
}

/** Without brackets and the interface; mapped IPv4 as IPv4. */
const addressOf = (text: string): string | undefined => {
  const address = readAddress(text.replace(/%[^\]:]*/, '').replaceAll(/[[\]]/g, ''))?.address
  return address === undefined ? undefined : formatAddress(address)
}
