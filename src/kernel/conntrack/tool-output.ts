import { formatAddress, readAddress } from '../../ip/index.ts'
import type { ConntrackEntry, FlowEnd, ListFilter } from './entries.ts'

/**
 * Entries as `conntrack -L -o extended,id` prints them (conntrack(8) 1.4.7), one a line; entries of other zones are left out. Strict: fails on a line
 * that is not understood, because what is misread would be removed.
 *
 * `ipv4     2 udp      17 29 src=A dst=B sport=1 dport=2 [UNREPLIED] src=B dst=A sport=2 dport=1 mark=0 use=1 id=7`
 */
export const parseEntries = (text: string, filter: ListFilter): readonly ConntrackEntry[] =>
  text.split('\n').flatMap((line) => {
    const entry = line === '' ? undefined : parseLine(line, filter)
    return entry === undefined ? [] : [entry]
  })

/** Protocol, its number, time left (not for offloaded ones), state (not of UDP); both tuples, with counters where the kernel keeps them; the rest. */
const LINE = new RegExp(
  String.raw`^(ipv[46]) +(?:2|10) (udp|tcp|sctp) +\d+ (?:\d+ )?(?:[A-Z_0-9]+ )?` +
    String.raw`src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) (?:packets=\d+ bytes=\d+ )?(\[UNREPLIED\] )?` +
    String.raw`src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) (.*)$`,
)
const REST = /^(?:(?:\[[A-Z_]+\]|[a-z-]+=\S*)(?: |$))*$/

const parseLine = (line: string, { family, protocol }: ListFilter): ConntrackEntry | undefined => {
  const match = LINE.exec(line)
  if (match === null) throw unknown(line)
  const [, layer, proto, from, to, fromPort, toPort, unreplied, answerer, answered, answererPort, answeredPort, rest = ''] = match
  const id = /(?:^| )id=(\d+)/.exec(rest)?.[1]
  if (!REST.test(rest) || id === undefined) throw unknown(line)
  if (layer !== family.toLowerCase() || proto !== protocol.toLowerCase()) throw unknown(line)
  if (/(?:^| )zone[a-z-]*=/.test(rest)) return undefined
  const end = (address: string | undefined, port: string | undefined): FlowEnd => endOf(address, port, line)
  return {
    family,
    protocol,
    original: { source: end(from, fromPort), destination: end(to, toPort) },
    reply: { source: end(answerer, answererPort), destination: end(answered, answeredPort) },
    mark: Number(/(?:^| )mark=(\d+)/.exec(rest)?.[1] ?? 0),
    id: Number(id),
    replied: unreplied === undefined,
  }
}

const endOf = (text: string | undefined, port: string | undefined, line: string): FlowEnd => {
  const address = readAddress(text ?? '')?.address
  if (address === undefined) throw unknown(line)
  return { address: formatAddress(address), port: Number(port) }
}

const unknown = (line: string): Error =>
  new Error(`conntrack: line ${JSON.stringify(line.slice(0, 200))} is not understood; another version than 1.4.7?`)
