/**
 * Addresses for pods, and what makes them reachable. `attach` and `detach` may be repeated and run side by side for different pods;
 * an address is given to one pod at a time and, while others are free, not soon again.
 */
export interface PodNetwork {
  readonly kind: 'netns' | 'loopback'
  readonly podCIDR: string
  /** Of pods with `hostNetwork`, and where pods find this machine. */
  readonly nodeAddress: string
  /** Makes what all pods share; removes what an earlier run left. Does nothing when this was done before and not closed since. */
  prepare(): Promise<void>
  /** Rejects when no address is free. */
  attach(request: AttachRequest): Promise<Attachment>
  /** Gives the address back and removes what `attach` made. */
  detach(uid: string): Promise<void>
  /**
   * Follows what others may have changed on the machine since (kernel modules, default routes, firewalls), and says what pods have to do without and what
   * to do about it, a line each. Never rejects. For a slow pace; one at a time, between `prepare` and `close`.
   */
  check(): Promise<readonly string[]>
  /** Removes everything. */
  close(): Promise<void>
}

export interface AttachRequest {
  /** The pod's. */
  readonly uid: string
  readonly hostNetwork: boolean
  /** Taken when it is free: a pod keeps its address over a restart of the node. */
  readonly preferredAddress?: string
}

export interface Attachment {
  readonly address: string
  /** The network namespace's file; undefined when the pod shares the machine's. */
  readonly namespacePath?: string
}
