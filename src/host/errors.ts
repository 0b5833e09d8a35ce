/** A machine operation that failed: which command or file, how, and what it said. */
export class HostError extends Error {
  override readonly name = 'HostError'
  /** `ENOENT`, `EPERM`, `ETIMEDOUT`, `EEXIT` (the command ended with another code than 0), `ENOBUFS` (too much output), `ABORT_ERR`. */
  readonly code: string
  readonly command: readonly string[]
  /** The command's exit code, when it ended by itself. */
  readonly exitCode: number | undefined
  readonly stderr: string

  constructor(message: string, details: HostErrorDetails, options?: ErrorOptions) {
    super(message, options)
    this.code = details.code
    this.command = details.command
    this.exitCode = details.exitCode
    this.stderr = details.stderr ?? ''
  }
}

export interface HostErrorDetails {
  readonly code: string
  readonly command: readonly string[]
  readonly exitCode?: number
  readonly stderr?: string
}

/** Debian's package of each tool that Fairway calls. */
const PACKAGES: Readonly<Record<string, string>> = {
  bpftool: 'bpftool',
  conntrack: 'conntrack',
  ip: 'iproute2',
  ipset: 'ipset',
  iptables: 'iptables',
  'iptables-restore': 'iptables',
  'iptables-save': 'iptables',
  ip6tables: 'iptables',
  'ip6tables-restore': 'iptables',
  'ip6tables-save': 'iptables',
  ipvsadm: 'ipvsadm',
  mount: 'mount',
  nft: 'nftables',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  sysctl: 'procps',
  tc: 'iproute2',
  unshare: 'util-linux',
}

/** What to say when a command does not exist. */
export const missingCommand = (command: string): string => {
  const name = command.slice(command.lastIndexOf('/') + 1)
  const packageName = Object.hasOwn(PACKAGES, name) ? PACKAGES[name] : undefined
  const remedy = packageName === undefined ? 'check its path' : `install it: apt-get install ${packageName}`
  return `command ${command} not found; ${remedy}`
}
