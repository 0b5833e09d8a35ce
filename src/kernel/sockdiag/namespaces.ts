import { readdir, readlink } from 'node:fs/promises'
import { OWN_NAMESPACE } from './sockets.ts'

/**
 * Paths of all network namespaces in which processes of this machine are, this one first, each once. A scan of /proc: for the pods of a node that somebody
 * else runs; needs their process ids to be visible (hostPID).
 */
export const networkNamespaces = async (): Promise<readonly string[]> => {
  const found = new Map<string, string>()
  const own = await identity(OWN_NAMESPACE)
  if (own !== undefined) found.set(own, OWN_NAMESPACE)
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const path = `/proc/${entry}/ns/net`
    const name = await identity(path)
    if (name !== undefined && !found.has(name)) found.set(name, path)
  }
  return [...found.values()]
}

/** `net:[4026531840]`; undefined for a process that ended or is another user's. */
const identity = (path: string): Promise<string | undefined> => readlink(path).catch(() => undefined)
