import { spawn } from 'node:child_process'

/** What `openssl s_client` says of a handshake with `port`, after a request or without one. */
export const openssl = (port: number, args: readonly string[], input = ''): Promise<string> =>
  new Promise((resolve) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (piece) => {
        text += piece
      })
    }
    child.stdin.on('error', () => {})
    child.once('close', () => resolve(text))
    child.stdin.end(input)
  })
