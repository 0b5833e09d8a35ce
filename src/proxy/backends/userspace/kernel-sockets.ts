import { readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import { errorCode } from '../../../base/index.ts'
import { addressFromBytes, formatAddress } from '../../../ip/index.ts'
import { listenerId } from './desired-listeners.ts'

/** The sockets that listen in this network namespace, by {@link listenerId}: proc(5), `/proc/net/tcp` and its siblings. */
export const readListening = async (): Promise<ReadonlySet<string>> => {
  const read = async ([file, protocol]: readonly [string, 'TCP' | 'UDP']): Promise<readonly string[]> => {
    const text = await readFile(`/proc/self/net/${file}`, 'utf8').catch((error: unknown) => {
      // A kernel without IPv6 has no such file.
      if (errorCode(error) === 'ENOENT') return ''
      throw error
    })
    return parseListening(text, protocol)
  }
  return new Set((await Promise.all(FILES.map(read))).flat())
}

const FILES = [
  ['tcp', 'TCP'],
  ['tcp6', 'TCP'],
  ['udp', 'UDP'],
  ['udp6', 'UDP'],
] as const

/** TCP_LISTEN; a datagram socket without a peer is in TCP_CLOSE. */
const LISTENING = { TCP: '0A', UDP: '07' } as const

/** Pure: the local addresses of those that wait for peers. */
export const parseListening = (text: string, protocol: 'TCP' | 'UDP'): readonly string[] =>
  text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    if (state !== LISTENING[protocol]) return []
    const [words = '', port = ''] = local.split(':')
    const address = addressOf(words)
    return address === undefined ? [] : [listenerId(protocol, address, Number.parseInt(port, 16))]
  })

/** The kernel prints each 32-bit word as a number of the machine. */
const addressOf = (words: string): string | undefined => {
  const bytes = Buffer.from(words, 'hex')
  if (bytes.length % 4 !== 0) return undefined
  if (endianness() === 'LE') bytes.swap32()
  const address = addressFromBytes(bytes)
  return address && formatAddress(address)
}
