import type { IPProtocol, Load, ReadServer, RealAddress, RealServer, ServerAddress, Timeouts } from './objects.ts'

/** Reads the answer of `ipvsadm --save --numeric`. Fails on a line that no version of it prints. Servers of firewall marks are left out. */
export const parseSaved = (text: string): readonly ReadServer[] => {
  const servers = new Map<string, ReadServer & { readonly reals: RealServer[] }>()
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const { verb, server, options, isMark } = lineOf(line)
    if (isMark) continue
    const id = JSON.stringify(server)
    if (verb === '-A') servers.set(id, { ...server, ...serverOptions(options), reals: [] })
    else {
      const known = servers.get(id)
      if (known === undefined) throw unknown(line)
      known.reals.push(realOf(options, line))
    }
  }
  return [...servers.values()]
}

interface Line {
  readonly verb: '-A' | '-a'
  readonly server: ServerAddress
  readonly isMark: boolean
  /** By their names; an option without a value has an empty one. */
  readonly options: ReadonlyMap<string, string>
}

const PROTOCOLS: ReadonlyMap<string, IPProtocol> = new Map([
  ['-t', 'tcp'],
  ['-u', 'udp'],
  ['--sctp-service', 'sctp'],
])

const lineOf = (line: string): Line => {
  const [verb = '', flag = '', target = '', ...words] = line.trim().split(/\s+/)
  if (verb !== '-A' && verb !== '-a') throw unknown(line)
  const options = new Map<string, string>()
  for (let index = 0; index < words.length; index++) {
    const name = words[index] ?? ''
    const next = words[index + 1]
    const hasValue = next !== undefined && !next.startsWith('-')
    options.set(name, hasValue ? next : '')
    if (hasValue) index++
  }
  const protocol = PROTOCOLS.get(flag)
  if (protocol === undefined && flag === '-f') {
    return { verb, server: { protocol: 'tcp', address: '', port: 0 }, isMark: true, options }
  }
  const address = targetOf(target)
  if (protocol === undefined || address === undefined) throw unknown(line)
  return { verb, server: { protocol, ...address }, isMark: false, options }
}

const targetOf = (text: string): RealAddress | undefined => {
  const [, v6, v4, port] = /^(?:\[([\da-f:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? []
  const address = v6 ?? v4
  return address === undefined ? undefined : { address, port: Number(port) }
}

const serverOptions = (options: ReadonlyMap<string, string>): Pick<ReadServer, 'scheduler' | 'persistentSeconds' | 'others'> => {
  const persistent = options.get('-p')
  return {
    scheduler: options.get('-s') ?? '',
    ...(persistent === undefined ? {} : { persistentSeconds: Number(persistent) }),
    ...othersOf(options, ['-s', '-p']),
  }
}

const realOf = (options: ReadonlyMap<string, string>, line: string): RealServer => {
  const address = targetOf(options.get('-r') ?? '')
  const weight = Number(options.get('-w'))
  if (address === undefined || !Number.isInteger(weight)) throw unknown(line)
  const isTranslated = options.has('-m')
  return { ...address, weight, ...othersOf(options, isTranslated ? ['-r', '-w', '-m'] : ['-r', '-w']) }
}

const othersOf = (options: ReadonlyMap<string, string>, known: readonly string[]): { readonly others?: string } => {
  const others = [...options].filter(([name]) => !known.includes(name)).map(([name, value]) => `${name} ${value}`.trim())
  return others.length === 0 ? {} : { others: others.join(' ') }
}

/** Reads the answer of `ipvsadm --list --numeric --exact` for one virtual server. */
export const parseLoads = (text: string): readonly Load[] =>
  text
    .split('\n')
    .filter((line) => /^\s+->\s+[\d[]/.test(line))
    .map((line) => {
      const [target = '', , weight, active, inactive] = line.trim().slice('->'.length).trim().split(/\s+/)
      const address = targetOf(target)
      const numbers = [weight, active, inactive].map(Number)
      if (address === undefined || !numbers.every(Number.isInteger)) throw unknown(line)
      const [weightNumber = 0, activeNumber = 0, inactiveNumber = 0] = numbers
      return { ...address, weight: weightNumber, active: activeNumber, inactive: inactiveNumber }
    })

/** Reads the answer of `ipvsadm --list --timeout`. */
export const parseTimeouts = (text: string): Timeouts => {
  const [, tcp, tcpFin, udp] = /^Timeout \(tcp tcpfin udp\): (\d+) (\d+) (\d+)$/m.exec(text) ?? []
  if (udp === undefined) throw unknown(text)
  return { tcp: Number(tcp), tcpFin: Number(tcpFin), udp: Number(udp) }
}

const unknown = (line: string): Error => new Error(`ipvsadm: ${JSON.stringify(line.slice(0, 200))} is of an unknown form`)
