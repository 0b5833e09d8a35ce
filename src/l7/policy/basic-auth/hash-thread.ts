/** The thread's side of {@link Hasher}: one password after another, so that slow hashes never hold up the worker. */
import { parentPort } from 'node:worker_threads'
import { isPasswordOf } from './hashes.ts'

parentPort?.on('message', ({ hash, password }: { readonly hash: string; readonly password: Uint8Array }) => {
  parentPort?.postMessage(judged(hash, Buffer.from(password)))
})

const judged = (hash: string, password: Buffer): boolean => {
  try {
    return isPasswordOf(hash, password)
  } catch {
    return false
  }
}
