import type { Exec } from '../../../host/index.ts'
import { createLinks, type InstanceTag } from '../../../kernel/link/index.ts'

/** Makes ranges of addresses this machine's own, so that sockets can bind them: all of an IPv4 range, single addresses (`/128`) of IPv6; needs root. */
export interface LocalAddresses {
  /** Idempotent. */
  ensure(cidr: string): Promise<void>
  /** Idempotent; unknown ranges are no error. */
  release(cidr: string): Promise<void>
  /** The ranges that are local now by this instance's doing; where it is left out, audits and cleanups do not look. */
  observe?(): Promise<readonly string[]>
}

/** {@link LocalAddresses} in the network namespace that `exec` acts in. */
export const createLocalAddresses = (exec: Exec, tag: InstanceTag): LocalAddresses => {
  const links = createLinks(exec, tag)
  return {
    ensure: links.ensureLocalRoute,
    release: links.removeLocalRoute,
    observe: async () => (await links.listOwned()).localRoutes,
  }
}
