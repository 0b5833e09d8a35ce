import type { Exec } from '../../host/index.ts'
import type { Libc, NoLibc } from '../../host/native/index.ts'
import { netlinkNft } from './netlink-nft.ts'
import type { Nft } from './objects.ts'
import { toolNft } from './tool.ts'

export interface NftOptions {
  /** `await loadLibc()`: with it changes are made in process, without or where it is missing through `nft`. */
  readonly libc?: Libc | NoLibc
  /** Path of the network namespace that `exec` runs in, where that is not this process' own. */
  readonly namespace?: string
}

/** nftables of a network namespace: in this process where the C library can be called, otherwise through Debian's `nft`. */
export const createNft = (exec: Exec, { libc, namespace }: NftOptions = {}): Nft =>
  libc === undefined || 'missing' in libc
    ? toolNft(exec)
    : netlinkNft({ libc, ...(namespace === undefined ? {} : { namespace }) })
