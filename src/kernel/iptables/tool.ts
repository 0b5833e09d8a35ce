import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError, missingCommand } from '../../host/index.ts'
import type { IPFamily } from '../../ip/index.ts'
import type { Flavour, Place } from './objects.ts'

/** The tools of both flavours: how they are called here. */
export interface Tool {
  /** Why a flavour cannot be called, and what now. */
  obstacle(flavour: Flavour): Promise<string | undefined>
  run(place: Place, suffix: '' | '-restore' | '-save', call: Call): Promise<string>
}

interface Call {
  readonly args?: readonly string[]
  readonly stdin?: string
  readonly signal?: AbortSignal
}

/** The first with the nf_tables flavour, and with all that the proxy's rules say. */
const OLDEST: readonly [number, number] = [1, 8]
const TIMEOUT_MS = 120_000
const MAX_OUTPUT = 1024 * 1024 * 1024
const MARKS: Readonly<Record<Flavour, string>> = { nft: 'nf_tables', legacy: 'legacy' }
const NAMES: Readonly<Record<IPFamily, string>> = { IPv4: 'iptables', IPv6: 'ip6tables' }

export const createTool = (exec: Exec): Tool => {
  const found = new Map<Flavour, Found>()
  const find = async (flavour: Flavour): Promise<Found> => {
    const known = found.get(flavour) ?? (await findFlavour(exec, flavour))
    // What is missing may be installed meanwhile.
    if (!('obstacle' in known)) found.set(flavour, known)
    return known
  }
  return {
    async obstacle(flavour) {
      const known = await find(flavour)
      return 'obstacle' in known ? known.obstacle : undefined
    },
    async run({ flavour, family }, suffix, { args = [], ...call }) {
      const known = await find(flavour)
      if ('obstacle' in known) throw new Error(known.obstacle)
      const { stdout } = await exec([`${NAMES[family]}${known.infix}${suffix}`, ...args], {
        ...call,
        timeoutMs: TIMEOUT_MS,
        maxOutputBytes: MAX_OUTPUT,
      })
      return stdout
    },
  }
}

/** Where the tools of both flavours are installed their names tell which is which; the plain name is then either of them. */
type Found = { readonly infix: '-nft' | '-legacy' | '' } | { readonly obstacle: string }

const findFlavour = async (exec: Exec, flavour: Flavour): Promise<Found> => {
  for (const infix of [`-${flavour}` as const, ''] as const) {
    const said = await versionText(exec, `iptables${infix}`)
    if (said === undefined) continue
    if (typeof said !== 'string') return said
    const [, major = '', minor = '', mark = 'legacy'] = /v(\d+)\.(\d+)\.\d+(?: \((\w+)\))?/.exec(said) ?? []
    if (major === '')
      return { obstacle: `iptables: version ${JSON.stringify(said.slice(0, 60))} is unknown; install iptables 1.8 or newer` }
    if (mark !== MARKS[flavour]) continue
    if (Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])) {
      return { obstacle: `iptables: version ${major}.${minor} is too old; install iptables ${OLDEST.join('.')} or newer` }
    }
    return { infix }
  }
  const missing = missingCommand('iptables')
  return { obstacle: flavour === 'nft' ? `${missing} (with its nf_tables flavour)` : `${missing} (with its legacy flavour)` }
}

/** Undefined when there is no such command. */
const versionText = async (exec: Exec, command: string): Promise<string | Found | undefined> => {
  try {
    return (await exec([command, '--version'])).stdout
  } catch (error) {
    // Run through `ip netns exec`, a command that is missing is exit code 255.
    if (error instanceof HostError && (error.code === 'ENOENT' || /No such file or directory/.test(error.stderr)))
      return undefined
    return { obstacle: `iptables: ${errorMessage(error)}` }
  }
}
