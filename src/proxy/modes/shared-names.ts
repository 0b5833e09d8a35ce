import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { aborted, errorCode, type Running, UserError } from '../../base/index.ts'
import type { ModeName } from './mode.ts'

/** Modes whose names in the kernel are kube-proxy's: one set for the whole machine, where the others have names for each instance. */
const SHARED: ReadonlySet<ModeName> = new Set(['iptables', 'ipvs'])

export const sharesNames = (mode: ModeName): boolean => SHARED.has(mode)

/**
 * Holds those names for this process: an abstract socket (unix(7)) is one for each network namespace, as the rules are, and is given back whatever
 * becomes of the process. `who` is told to whoever asks. Rejects with `UserError` when another instance has them.
 */
export const claimOfSharedNames = (mode: ModeName, who: string) => ({
  name: 'claim of the rule names',
  async start(signal: AbortSignal): Promise<Running> {
    const server = createServer((socket) => {
      // Whoever asks may be gone already, or stay for ever.
      socket.on('error', () => {}).end(`${who}, pid ${process.pid}`, () => socket.destroy())
    })
    try {
      server.listen({ path: SOCKET })
      await once(server, 'listening')
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error
      const holder = (await holderOfSharedNames()) ?? 'a process that has just ended'
      throw new UserError(
        `another fairway on this machine (${holder}) uses the chains that --proxy-mode=${mode} needs (kube-proxy's names); end it, or choose nftables, ebpf or userspace`,
      )
    }
    return {
      stopped: aborted(signal).then(async () => {
        const closed = once(server, 'close')
        server.close()
        await closed
      }),
    }
  },
})

/** Who holds them at this moment, in words; undefined when nobody does. */
export const holderOfSharedNames = async (): Promise<string | undefined> => {
  const socket = connect({ path: SOCKET })
  let text = ''
  socket.setTimeout(ANSWER_MS, () => socket.destroy())
  socket.on('data', (chunk) => {
    text += chunk.toString()
    if (text.length > MOST_CHARACTERS) socket.destroy()
  })
  try {
    await once(socket, 'connect')
    if (!socket.closed) await once(socket, 'close')
  } catch (error) {
    if (errorCode(error) === 'ECONNREFUSED') return undefined
    if (errorCode(error) !== 'ECONNRESET') throw error
  }
  return text.slice(0, MOST_CHARACTERS).replace(/[^\x20-\x7e]/g, '?') || 'which does not answer'
}

const SOCKET = '\0fairway-kube-proxy-names'
const ANSWER_MS = 1_000
const MOST_CHARACTERS = 200
