import { type Exec, HostError } from '../../../../host/index.ts'
import { formatAddress, parseAddress } from '../../../../ip/index.ts'
import { parseMac } from './frames.ts'

export interface Device {
  readonly name: string
  readonly index: number
  readonly mac: Uint8Array
  /** Those that are alone in their prefix (`/32`, `/128`). */
  readonly addresses: readonly string[]
}

/** Addresses of this machine's devices, by iproute2. */
export interface Devices {
  /** Undefined when there is no such device, or one without a link-layer address. */
  read(name: string): Promise<Device | undefined>
  /** Puts addresses on a device, or renews them, for `seconds`: the kernel itself takes them away when nobody renews them. */
  hold(name: string, addresses: readonly string[], seconds: number): Promise<void>
  remove(name: string, addresses: readonly string[]): Promise<void>
}

export const createDevices = (exec: Exec): Devices => ({
  async read(name) {
    try {
      const { stdout } = await exec(['ip', '-json', 'address', 'show', 'dev', name])
      return readDevice(name, JSON.parse(stdout))
    } catch (error) {
      if (error instanceof HostError && /does not exist/.test(error.stderr)) return undefined
      throw error
    }
  },
  async hold(name, addresses, seconds) {
    // Duplicate address detection would keep an address from being used for a second, and this one is somebody else's at times.
    const flags = (address: string): string => (address.includes(':') ? ' nodad' : '')
    await batch(
      exec,
      addresses.map(
        (each) => `address replace ${alone(each)} dev ${name} valid_lft ${seconds} preferred_lft ${seconds}${flags(each)}`,
      ),
    )
  },
  remove: (name, addresses) =>
    batch(
      exec,
      addresses.map((each) => `address del ${alone(each)} dev ${name}`),
      true,
    ),
})

const alone = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

const batch = async (exec: Exec, lines: readonly string[], keepGoing = false): Promise<void> => {
  if (lines.length === 0) return
  const flags = keepGoing ? ['-force'] : []
  await exec(['ip', ...flags, '-batch', '-'], {
    stdin: lines.map((line) => `${line}\n`).join(''),
    okCodes: keepGoing ? [0, 1] : [0],
  })
}

/** As far as it is read. */
interface ShownDevice {
  readonly ifname?: string
  readonly ifindex?: number
  readonly address?: string
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[]
}

const readDevice = (name: string, shown: readonly ShownDevice[]): Device | undefined => {
  const found = shown.find(({ ifname }) => ifname === name)
  const mac = parseMac(found?.address ?? '')
  if (found?.ifindex === undefined || mac === undefined) return undefined
  const addresses = (found.addr_info ?? []).flatMap(({ local = '', prefixlen }) => {
    const address = parseAddress(local)
    return address === undefined || prefixlen !== (address.family === 'IPv4' ? 32 : 128) ? [] : [formatAddress(address)]
  })
  return { name, index: found.ifindex, mac, addresses }
}
