/** `client.ts connections|bytes ADDRESS PORT SECONDS PARALLEL`: prints how many connections were answered, or bytes read. */
import { connect } from 'node:net'

const [mode, address = '', port = '0', seconds = '1', parallel = '1'] = process.argv.slice(2)
const until = performance.now() + Number(seconds) * 1_000
let count = 0
let failures = 0
let source = 0

const connections = (): Promise<void> =>
  new Promise((resolve) => {
    const next = (): void => {
      if (performance.now() >= until) {
        resolve()
        return
      }
      let answered = false
      // Source addresses in turn, so that ports in TIME_WAIT never run out.
      const socket = connect({
        host: address,
        port: Number(port),
        localAddress: `127.77.1.${1 + (source++ % 250)}`,
        noDelay: true,
      })
      socket.on('connect', () => socket.write('x'))
      socket.on('data', () => {
        answered = true
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        if (answered) count++
        else failures++
        next()
      })
    }
    next()
  })

const bytes = (): Promise<void> =>
  new Promise((resolve) => {
    const buffer = Buffer.allocUnsafe(256 * 1024)
    const onread = {
      buffer,
      callback: (read: number) => {
        count += read
        return true
      },
    }
    const socket = connect({ host: address, port: Number(port), onread })
    socket.on('error', () => {})
    setTimeout(() => {
      socket.destroy()
      resolve()
    }, until - performance.now())
  })

const started = performance.now()
await Promise.all(Array.from({ length: Number(parallel) }, () => (mode === 'bytes' ? bytes() : connections())))
const perSecond = count / ((performance.now() - started) / 1_000)
process.stdout.write(`${JSON.stringify({ count, perSecond, failures })}\n`)
