import { once } from 'node:events'
import { createServer } from 'node:net'
import { aborted, errorCode, type Running, UserError } from '../base/index.ts'
import type { ModeName } from '../proxy/index.ts'

/** Modes whose names in the kernel are kube-proxy's: one set for the whole machine, where the others have names for each instance. */
const SHARED: ReadonlySet<ModeName> = new Set(['iptables', 'ipvs'])

export const sharesNames = (mode: ModeName): boolean => SHARED.has(mode)

/**
 * Holds those names for this process: an abstract socket (unix(7)) is one for each network namespace, as the rules are, and is given back whatever
 * becomes of the process. Rejects with `UserError` when another instance has them.
 */
export const claimOfSharedNames = (mode: ModeName) => ({
  name: 'claim of the rule names',
  async start(signal: AbortSignal): Promise<Running> {
    const server = createServer((socket) => socket.destroy())
    try {
      server.listen({ path: SOCKET })
      await once(server, 'listening')
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error
      throw new UserError(
        `another fairway on this machine uses the chains that --proxy-mode=${mode} needs (kube-proxy's names); choose nftables, ebpf or userspace`,
      )
    }
    return { stopped: aborted(signal).then(() => void server.close()) }
  },
})

/** Whether no instance holds them at this moment. */
export const areSharedNamesFree = async (): Promise<boolean> => {
  const stop = new AbortController()
  try {
    const { stopped } = await claimOfSharedNames('iptables').start(stop.signal)
    stop.abort()
    await stopped
    return true
  } catch (error) {
    if (error instanceof UserError) return false
    throw error
  }
}

const SOCKET = '\0fairway-kube-proxy-names'
