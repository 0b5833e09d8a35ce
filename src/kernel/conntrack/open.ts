import type { Exec } from '../../host/index.ts'
import type { Libc, NoLibc } from '../../host/native/index.ts'
import type { Conntrack } from './entries.ts'
import { createNetlinkConntrack } from './netlink.ts'
import { createConntrackTool } from './tool.ts'

/** The ways there may be. */
export interface OpenConntrackOptions {
  /** What `loadLibc` gave. */
  readonly libc: Libc | NoLibc
  readonly exec: Exec
  /** Path of the network namespace that `exec` acts in, where that is not this process' own. */
  readonly namespace?: string
}

/** The way that works here. */
export type OpenedConntrack =
  /** `fallback` says why the tool is used. */
  | { readonly conntrack: Conntrack; readonly by: 'netlink' | 'tool'; readonly fallback?: string }
  /** Why there is none, and what to do. */
  | { readonly missing: string }

/** Netlink in this process where that works, else Debian's tool, which costs a process and a read of the whole table for each removal. */
export const openConntrack = async ({ libc, exec, namespace }: OpenConntrackOptions): Promise<OpenedConntrack> => {
  const netlink =
    'missing' in libc ? undefined : createNetlinkConntrack({ libc, ...(namespace === undefined ? {} : { namespace }) })
  const fallback = netlink === undefined && 'missing' in libc ? libc.missing : await netlink?.probe()
  if (netlink !== undefined && fallback === undefined) return { conntrack: netlink, by: 'netlink' }
  const tool = createConntrackTool(exec)
  const missing = await tool.probe()
  if (missing !== undefined) return { missing: `${missing}; and not by netlink: ${fallback}` }
  return { conntrack: tool, by: 'tool', ...(fallback === undefined ? {} : { fallback }) }
}
