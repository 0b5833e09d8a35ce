import { open, rename } from 'node:fs/promises'
import { stringify } from 'yaml'
import type { KeyPair } from './x509.ts'

export interface KubeconfigOptions {
  /** Of the cluster, the context and the user. */
  readonly name: string
  readonly user: string
  /** `https://127.0.0.1:6443`. */
  readonly server: string
  readonly authority: string
  readonly client: KeyPair
}

/** A kubeconfig that holds all it needs: no file beside it. */
export const kubeconfigText = ({ name, user, server, authority, client }: KubeconfigOptions): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      { name: user, user: { 'client-certificate-data': base64(client.certificate), 'client-key-data': base64(client.key) } },
    ],
    contexts: [{ name, context: { cluster: name, user } }],
    'current-context': name,
    preferences: {},
  })

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

/** Writes a kubeconfig that only its owner can read, whole or not at all. */
export const writeKubeconfig = async (file: string, options: KubeconfigOptions): Promise<void> => {
  const temporary = `${file}.${process.pid}.tmp`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.chmod(0o600)
    await handle.writeFile(kubeconfigText(options))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
}
