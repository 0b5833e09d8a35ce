import { errorCode, UserError } from '../../../base/index.ts'

export interface BoundAt {
  readonly address: string
  readonly port: number
}

const PRIVILEGED = 1024

/**
 * Listens on a load balancer's own port, or, where this user may not bind it, on that port plus `offset`. Throws `UserError` when neither can be had.
 */
export const bindPort = async <T>(at: BoundAt, offset: number, listen: (port: number) => Promise<T>): Promise<T> => {
  try {
    return await listen(at.port)
  } catch (error) {
    if (errorCode(error) !== 'EACCES' || at.port >= PRIVILEGED || offset === 0) throw bindProblem(at, error)
  }
  const port = at.port + offset
  try {
    return await listen(port)
  } catch (error) {
    throw bindProblem({ address: at.address, port }, error)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another process',
  EACCES: 'may not be bound by this user',
  EADDRNOTAVAIL: 'is no address of this machine; as root, --vip-cidr is made one',
}

const bindProblem = ({ address, port }: BoundAt, error: unknown): UserError => {
  const code = errorCode(error) ?? 'unknown'
  return new UserError(
    `FailedOperation.PortNotAvailable: ${address}:${port} ${REASONS[code] ?? `can't be listened on (${code})`}`,
    { cause: error },
  )
}
