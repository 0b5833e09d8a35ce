import { HostError } from '../../host/index.ts'
import type { Leftovers } from './mode.ts'

/** What the machine refused, below errors that wrap it. */
const hostErrorOf = (error: unknown): HostError | undefined => {
  for (let each = error; each instanceof Error; each = each.cause) if (each instanceof HostError) return each
  return undefined
}

/** Whether more rights would help. */
const isNotPermitted = (error: unknown): boolean => {
  const refused = hostErrorOf(error)
  if (refused === undefined) return false
  return (
    refused.code === 'EPERM' || refused.code === 'EACCES' || /not permitted|permission denied|must be root/i.test(refused.stderr)
  )
}

/** Looks for what a mode left; a tool that is not there makes it unknown, a missing privilege is an error in one line. */
export const looking = async (look: () => Promise<readonly string[]>): Promise<Leftovers> => {
  try {
    return { found: await look() }
  } catch (error) {
    if (isNotPermitted(error)) throw new Error('no permission to look for it; run as root', { cause: error })
    const refused = hostErrorOf(error)
    if (refused?.code === 'ENOENT') return { found: [], unknown: refused.message }
    throw error
  }
}
