import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'

/**
 * The dummy device that makes the addresses of virtual servers this node's own, so that packets to them are delivered here, where ipvs takes them. It stays
 * down: the kernel makes the local routes all the same, and nothing is announced.
 */
export interface ServiceDevice {
  readonly name: string
  /** Undefined when there is none. */
  read(): Promise<ReadDevice | undefined>
  /** Makes it when it is not there, and writes the note. */
  ensure(note: string): Promise<void>
  /** Adding what is there and removing what is not is no error. */
  change(addresses: { readonly add: readonly string[]; readonly remove: readonly string[] }): Promise<void>
  /** With its addresses and its note; also when there is none. */
  remove(): Promise<void>
}

export interface ReadDevice {
  /** What the one who made it wrote on it, one word; empty when nothing. It lives as long as the device. */
  readonly note: string
  /** Canonical; those of the link itself are left out. */
  readonly addresses: readonly string[]
}

/** {@link ServiceDevice} through `ip`, in the network namespace that `exec` acts in. */
export const createServiceDevice = (exec: Exec, name = 'kube-ipvs0'): ServiceDevice => {
  const device = plainWord(name)
  const batch = async (lines: readonly string[], keepGoing = false): Promise<void> => {
    if (lines.length === 0) return
    const stdin = lines.map((line) => `${line}\n`).join('')
    const force = keepGoing ? ['-force'] : []
    await exec(['ip', ...force, '-batch', '-'], { stdin, okCodes: keepGoing ? [0, 1] : [0], timeoutMs: BATCH_TIMEOUT_MS })
  }
  const read = async (): Promise<ReadDevice | undefined> => {
    try {
      // The note is a detail.
      const { stdout } = await exec(['ip', '-json', '-details', 'address', 'show', 'dev', device], {
        maxOutputBytes: MAX_LISTING,
      })
      return parseDevice(stdout)
    } catch (error) {
      if (error instanceof HostError && /does not exist|Cannot find device/.test(error.stderr)) return undefined
      throw new Error(`device ${device} cannot be read: ${errorMessage(error)}`, { cause: error })
    }
  }
  return {
    name,
    read,
    async ensure(note) {
      const found = await read()
      await batch([
        ...(found === undefined ? [`link add ${device} type dummy`] : []),
        ...(found?.note === note ? [] : [`link set ${device} alias ${plainWord(note)}`]),
      ])
    },
    async change({ add, remove }) {
      // nodad: the address is nobody else's, and must be there at once.
      await batch(add.map((address) => `address replace ${whole(address)} dev ${device}${address.includes(':') ? ' nodad' : ''}`))
      await batch(
        remove.map((address) => `address del ${whole(address)} dev ${device}`),
        true,
      )
    },
    remove: () => batch([`link del ${device}`], true),
  }
}

const BATCH_TIMEOUT_MS = 120_000
/** An address is about 250 bytes. */
const MAX_LISTING = 256 * 1024 * 1024

const whole = (address: string): string => `${plainWord(address)}/${address.includes(':') ? 128 : 32}`

/** A word of a batch: what could end the line or the word is refused. */
const plainWord = (text: string): string => {
  if (!/^[\w.:=,/-]{1,255}$/.test(text)) throw new Error(`ip: ${JSON.stringify(text.slice(0, 100))} is not a plain word`)
  return text
}

const parseDevice = (text: string): ReadDevice | undefined => {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch (error) {
    throw new Error(`ip: answer is not JSON: ${errorMessage(error)}`)
  }
  const [link] = listOf(answer)
  if (link === undefined) return undefined
  const note = link['ifalias']
  return {
    note: typeof note === 'string' ? note : '',
    addresses: listOf(link['addr_info'])
      .filter((entry) => entry['scope'] !== 'link' && typeof entry['local'] === 'string')
      .map((entry) => String(entry['local'])),
  }
}

const listOf = (value: unknown): readonly Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null) : []
