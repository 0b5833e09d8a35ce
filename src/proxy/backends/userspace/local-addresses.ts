/** Makes ranges of addresses bindable on this machine (`ip route add local CIDR dev lo`); needs root. Implemented over src/kernel/link. */
export interface LocalAddresses {
  /** Idempotent. */
  ensure(cidr: string): Promise<void>
  /** Idempotent; unknown ranges are no error. */
  release(cidr: string): Promise<void>
  /** The ranges that are local now by this instance's doing; where it is left out, audits and cleanups do not look. */
  observe?(): Promise<readonly string[]>
}
