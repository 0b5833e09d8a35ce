import type { Timeouts } from '../../../kernel/ipvs/index.ts'

/** A setting of the kernel that this mode needs, below /proc/sys/net. */
export interface Setting {
  readonly name: string
  readonly value: string
  /** Its name on the note of the device, which is short. */
  readonly short: string
}

/** What is set and why (Documentation/networking/ipvs-sysctl.rst). */
export const wantedSettings = (options: { readonly strictARP: boolean; readonly kernel: string }): readonly Setting[] => {
  const vs = (short: string, value: string): Setting => ({ name: `ipv4/vs/${short}`, value, short })
  const arp = (short: string, value: string): Setting => ({ name: `ipv4/conf/all/${short}`, value, short })
  return [
    // What ipvs forwards must pass the nat table's postrouting, to be masqueraded.
    vs('conntrack', '1'),
    // A client whose endpoint is gone is sent to another at once, where it would be left waiting.
    vs('expire_nodest_conn', '1'),
    // With affinity, an endpoint of weight 0 gets no new connections of clients that it knows.
    vs('expire_quiescent_template', '1'),
    // Before 5.9, a client that used its port again waited a second (kubernetes/kubernetes#93297).
    ...(isBefore59(options.kernel) ? [vs('conn_reuse_mode', '0')] : []),
    // Answer for an address only on the device that has it: a load balancer on this LAN announces service addresses itself.
    ...(options.strictARP ? [arp('arp_ignore', '1'), arp('arp_announce', '2')] : []),
  ]
}

/** Timeouts by their names on the note. */
const TIMEOUTS: readonly (readonly [string, keyof Timeouts])[] = [
  ['tcp', 'tcp'],
  ['tcpfin', 'tcpFin'],
  ['udp', 'udp'],
]

/** The timeouts that must change. */
export const wrongTimeouts = (wanted: Partial<Timeouts>, actual: Timeouts): Partial<Timeouts> =>
  Object.fromEntries(
    TIMEOUTS.flatMap(([, name]) => (wanted[name] === undefined || wanted[name] === actual[name] ? [] : [[name, wanted[name]]])),
  )

const isBefore59 = (release: string): boolean => {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10))
  return major < 5 || (major === 5 && minor < 9)
}

const NOTE = 'fairway:'

interface Before {
  readonly values: readonly (string | undefined)[]
  /** Where any is to change. */
  readonly timeouts: Timeouts | undefined
  readonly older: string
}

/**
 * The settings as they were before, for the note of the device: whoever cleans up finds them there, whatever became of the process that
 * changed them. A value that an older note has stays.
 */
export const noteOf = (settings: readonly Setting[], { values, timeouts, older }: Before): string => {
  const known = readNote(older)
  for (const [short, name] of TIMEOUTS) {
    const value = timeouts?.[name]
    if (value !== undefined && !known.has(short)) known.set(short, String(value))
  }
  settings.forEach(({ short }, index) => {
    const value = values[index]
    if (value !== undefined && !known.has(short)) known.set(short, value)
  })
  return `${NOTE}${[...known].map(([short, value]) => `${short}=${value}`).join(',')}`
}

/** What a note says that was before, by the names for {@link Sysctls}; nothing when it is not ours. */
export const oldSettings = (note: string): Readonly<Record<string, string>> => {
  const all = wantedSettings({ strictARP: true, kernel: '0.0' })
  const known = readNote(note)
  return Object.fromEntries(
    all.flatMap(({ name, short }) => {
      const value = known.get(short)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** As {@link oldSettings}. */
export const oldTimeouts = (note: string): Partial<Timeouts> => {
  const known = readNote(note)
  return Object.fromEntries(
    TIMEOUTS.flatMap(([short, name]) => {
      const value = known.get(short)
      return value === undefined ? [] : [[name, Number(value)]]
    }),
  )
}

export const isOurNote = (note: string | undefined): boolean => note?.startsWith(NOTE) === true

const readNote = (note: string): Map<string, string> => {
  if (!isOurNote(note)) return new Map()
  const parts = note.slice(NOTE.length).split(',')
  return new Map(
    parts.flatMap((part) => {
      const [, short, value] = /^(\w+)=(\d+)$/.exec(part) ?? []
      return short === undefined || value === undefined ? [] : [[short, value]]
    }),
  )
}
