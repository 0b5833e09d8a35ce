/** The kinds of sets that are made here; what a member is made of. */
export type SetType = 'hash:ip' | 'hash:net' | 'hash:ip,port' | 'hash:ip,port,ip' | 'hash:ip,port,net' | 'bitmap:port'

/** A set: what decides whether one that is there can be used as it is. */
export interface IPSet {
  readonly name: string
  readonly type: SetType
  /** Left out for `bitmap:port`, which has no addresses. */
  readonly family?: 'inet' | 'inet6'
  /** The largest number of members of a hash. */
  readonly maxElements?: number
}

/** In the canonical text that `ipset save` prints: `10.96.0.10,tcp:80`, `30080`, `10.1.0.0/16`; a net of one address has no length. */
export interface Member {
  readonly set: string
  readonly entry: string
}

/** One step; applied in order. */
export type Command =
  /** An error when there is one of that name. */
  | { readonly kind: 'create'; readonly set: IPSet }
  /** An error when there is none, or when a rule uses it. */
  | { readonly kind: 'destroy'; readonly set: string }
  /** Lets two sets of one type and family change their names, at once for all rules that use them. */
  | { readonly kind: 'swap'; readonly set: string; readonly with: string }
  | { readonly kind: 'flush'; readonly set: string }
  /** One that is there already is no error. */
  | { readonly kind: 'add'; readonly member: Member }
  /** One that is not there is no error. */
  | { readonly kind: 'delete'; readonly member: Member }

/** A set as the kernel has it. */
export interface ReadSet {
  readonly name: string
  /** One of {@link SetType}, or another program's. */
  readonly type: string
  readonly family: 'inet' | 'inet6' | undefined
  readonly maxElements: number | undefined
  readonly entries: readonly string[]
}

/** ipset of one network namespace. */
export interface Ipset {
  /** Why it cannot be used here and what to do, or undefined. Changes nothing. */
  probe(): Promise<string | undefined>
  /** In one process. Rejects with `HostError` at the first command that is refused, which it names; those before it may be done, those after it are not. */
  commit(commands: readonly Command[]): Promise<void>
  /** All sets whose name `owns` picks, with their members. Aborting `signal` rejects with its reason. */
  read(owns: (name: string) => boolean, signal?: AbortSignal): Promise<readonly ReadSet[]>
}

/** The kernel keeps 31 characters. */
export const MAX_SET_NAME = 31
