import type { ServiceDevice } from '../index.ts'

export interface FakeDevice extends ServiceDevice {
  readonly addresses: ReadonlySet<string>
  /** Changes that changed something. */
  readonly changes: readonly string[]
  /** The next calls that write fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
}

/** The dummy device without a kernel. */
export const fakeDevice = (name = 'kube-ipvs0'): FakeDevice => {
  const addresses = new Set<string>()
  const changes: string[] = []
  const failures: Error[] = []
  let note: string | undefined
  const meetFailure = (): void => {
    const failure = failures.shift()
    if (failure !== undefined) throw failure
  }
  return {
    name,
    addresses,
    changes,
    read: async () => (note === undefined ? undefined : { note, addresses: [...addresses] }),
    async ensure(wanted) {
      if (note === wanted) return
      meetFailure()
      note = wanted
      changes.push(`note ${wanted}`)
    },
    async change({ add, remove }) {
      const added = add.filter((address) => !addresses.has(address))
      const removed = remove.filter((address) => addresses.has(address))
      if (added.length + removed.length === 0) return
      meetFailure()
      if (note === undefined) throw new Error(`Cannot find device "${name}"`)
      for (const address of added) addresses.add(address)
      for (const address of removed) addresses.delete(address)
      changes.push(...added.map((each) => `add ${each}`), ...removed.map((each) => `remove ${each}`))
    },
    async remove() {
      note = undefined
      addresses.clear()
    },
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
  }
}
