import { readFile } from 'node:fs/promises'
import type { Exec } from './exec.ts'
import { findOnPath } from './spawn.ts'

/** What this process may do on this machine. */
export interface Capabilities {
  readonly isRoot: boolean
  /** CAP_NET_ADMIN is effective. */
  readonly netAdmin: boolean
  /** Full path of each tool that was found. */
  readonly tools: ReadonlyMap<Tool, string>
  /** Network namespaces and veth pairs can be made with `ip`. */
  readonly networkNamespaces: Usability
  /** A command can get process, mount and UTS namespaces of its own through `unshare`. */
  readonly processNamespaces: Usability
  /** An ordinary user can get the same through a user namespace. */
  readonly userNamespaces: Usability
  /** The lowest port that everybody may bind. */
  readonly unprivilegedPortStart: number
}

/** Usable, or why not. */
export type Usability = { readonly usable: true } | { readonly usable: false; readonly reason: string }

export type Tool = (typeof TOOLS)[number]

const TOOLS = [
  'conntrack',
  'ip',
  'ipset',
  'iptables',
  'iptables-restore',
  'mount',
  'nft',
  'nsenter',
  'setpriv',
  'unshare',
] as const

/** Finds out by trying; makes nothing that stays. */
export const probeCapabilities = async (exec: Exec): Promise<Capabilities> => {
  const tools = new Map(TOOLS.flatMap((tool): [Tool, string][] => entryFor(tool, findOnPath(tool))))
  const netAdmin = await hasCapability(CAP_NET_ADMIN)
  const [networkNamespaces, processNamespaces, userNamespaces] = await Promise.all([
    networkNamespacesUsable(exec, tools.has('ip'), netAdmin),
    attempt(exec, ['unshare', '--mount', '--uts', '--pid', '--fork', '--mount-proc', '--', 'true']),
    attempt(exec, ['unshare', '--user', '--map-current-user', '--pid', '--fork', '--', 'true']),
  ])
  return {
    isRoot: process.geteuid?.() === 0,
    netAdmin,
    tools,
    networkNamespaces,
    processNamespaces,
    userNamespaces,
    unprivilegedPortStart: await readUnprivilegedPortStart(),
  }
}

/** The lowest port that everybody may bind in this network namespace (1024 where the kernel does not say). */
export const readUnprivilegedPortStart = async (): Promise<number> => {
  const text = await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').catch(() => '')
  const port = Number.parseInt(text, 10)
  return Number.isInteger(port) ? port : DEFAULT_UNPRIVILEGED_PORT_START
}

const DEFAULT_UNPRIVILEGED_PORT_START = 1024
const CAP_NET_ADMIN = 12

const entryFor = (tool: Tool, path: string | undefined): [Tool, string][] => (path === undefined ? [] : [[tool, path]])

const hasCapability = async (bit: number): Promise<boolean> => {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  return mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(bit)) & 1n) === 1n
}

const networkNamespacesUsable = async (exec: Exec, hasIp: boolean, netAdmin: boolean): Promise<Usability> => {
  if (!hasIp) return { usable: false, reason: 'the ip tool is missing; apt-get install iproute2' }
  if (!netAdmin) return { usable: false, reason: 'CAP_NET_ADMIN is missing; run as root' }
  const name = `fwprobe-${process.pid}`
  const made = await attempt(exec, ['ip', 'netns', 'add', name])
  if (!made.usable) return made
  const veth = `fwp${process.pid}`
  const linked = await attempt(exec, ['ip', 'link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name])
  await attempt(exec, ['ip', 'link', 'del', veth])
  await attempt(exec, ['ip', 'netns', 'del', name])
  return linked
}

const attempt = async (exec: Exec, argv: readonly [string, ...string[]]): Promise<Usability> => {
  try {
    await exec(argv, { timeoutMs: 5000 })
    return { usable: true }
  } catch (error) {
    return { usable: false, reason: error instanceof Error ? error.message : String(error) }
  }
}
