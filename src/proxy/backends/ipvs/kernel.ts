import type { Exec } from '../../../host/index.ts'
import { createIpset, type Ipset } from '../../../kernel/ipset/index.ts'
import { createIptables, type Iptables } from '../../../kernel/iptables/index.ts'
import { createIpvs, createServiceDevice, type Ipvs, type ServiceDevice } from '../../../kernel/ipvs/index.ts'
import { createSysctls, type Sysctls } from '../../../kernel/link/index.ts'

/** Everything of one network namespace's kernel that this mode writes. */
export interface Kernel {
  readonly ipvs: Ipvs
  readonly ipset: Ipset
  readonly iptables: Iptables
  readonly device: ServiceDevice
  readonly sysctls: Sysctls
  /** Of the kernel, as `uname -r` says. */
  release(): Promise<string>
}

/** {@link Kernel} through the Debian tools, in the network namespace that `exec` acts in. */
export const createKernel = (exec: Exec): Kernel => {
  let release: Promise<string> | undefined
  return {
    ipvs: createIpvs(exec),
    ipset: createIpset(exec),
    iptables: createIptables(exec),
    device: createServiceDevice(exec),
    sysctls: createSysctls(exec),
    release() {
      release ??= exec(['uname', '-r']).then(({ stdout }) => stdout.trim())
      return release
    },
  }
}
