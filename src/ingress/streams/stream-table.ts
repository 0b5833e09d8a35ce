/** A port that is forwarded to pods; serialisable by structured clone. */
export interface StreamPort {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** The pods; none refuses connections. */
  readonly endpoints: readonly { readonly address: string; readonly port: number }[]
  /** Clients begin with a PROXY header, and are refused without. */
  readonly takesProxyHeader: boolean
  /** Pods are sent a PROXY header. */
  readonly sendsProxyHeader: boolean
}

/** A port that cannot be had. */
export interface StreamFailure {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** The system's, such as `EADDRINUSE`. */
  readonly code: string
}

export const streamKey = ({ protocol, port }: Pick<StreamPort, 'protocol' | 'port'>): string => `${protocol} ${port}`
