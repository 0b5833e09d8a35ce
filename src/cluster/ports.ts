import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Substitution } from './status-file.ts'

export interface PortRequest {
  /** What will be served, such as `ingress http`. */
  readonly what: string
  readonly address: string
  /** 0 for any free one. */
  readonly port: number
  /** The lowest port that this process may bind. */
  readonly firstBindablePort: number
}

export interface ChosenPort {
  readonly port: number
  readonly substitution?: Substitution
}

/** 80 becomes 8080 and 443 becomes 8443, or the next free one. */
const SUBSTITUTE_OFFSET = 8000
const ATTEMPTS = 100

/** The port itself, or a free substitute where the kernel would refuse it to this user. A port that somebody else has is not substituted: that is the user's to decide. */
export const choosePort = async (request: PortRequest): Promise<ChosenPort> => {
  const { what, address, port, firstBindablePort } = request
  if (port === 0 || port >= firstBindablePort) return { port }
  const first = Math.max(port + SUBSTITUTE_OFFSET, firstBindablePort)
  for (let substitute = first; substitute < first + ATTEMPTS; substitute++) {
    if (!(await isFree(address, substitute))) continue
    const reason = `an ordinary user may not bind ports below ${firstBindablePort}`
    return { port: substitute, substitution: { what, address, port, substitute, reason } }
  }
  return { port: 0 }
}

const isFree = async (address: string, port: number): Promise<boolean> => {
  const server = createServer()
  try {
    server.listen({ host: address, port, exclusive: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}
