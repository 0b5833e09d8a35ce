/** How to reach an API server and as whom; certificates and keys are PEM text. */
export interface Connection {
  /** With a path when the API is not at the root. */
  readonly server: string
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    /** The name that the server's certificate must have, when it isn't the one in `server`. */
    readonly serverName?: string
    readonly insecureSkipVerify: boolean
  }
  readonly credentials: Credentials
  /** Where a command without a namespace acts. */
  readonly namespace: string
}

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  /** Read again from time to time: tokens of service accounts are rotated. */
  | { readonly kind: 'tokenFile'; readonly path: string }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'exec'; readonly plugin: ExecPlugin }

/** A program that prints credentials (client.authentication.k8s.io). */
export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly installHint?: string
  /** The cluster as the plugin may ask to see it. */
  readonly cluster?: Readonly<Record<string, unknown>>
}

/** What a request is sent with. */
export interface Identity {
  readonly authorization?: string
  readonly cert?: string
  readonly key?: string
}
