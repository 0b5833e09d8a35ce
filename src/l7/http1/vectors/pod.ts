import net from 'node:net'

/** A pod that notes each whole request as `METHOD target body` and answers 200. */
export interface PodLog {
  readonly port: number
  readonly requests: readonly string[]
  clear(): void
  close(): void
}

export const startPod = async (): Promise<PodLog> => {
  let requests: string[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    let text = ''
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      for (let read = readRequest(text); read !== undefined; read = readRequest(text)) {
        text = text.slice(read.length)
        requests.push(read.request)
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get requests() {
      return requests
    },
    clear: () => {
      requests = []
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** What the engine sends is canonical, so that this needs to know one spelling only; anything else throws. */
const readRequest = (text: string): { readonly request: string; readonly length: number } | undefined => {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [start = '', ...fields] = text.slice(0, end).split('\r\n')
  const [, method, target] = /^(\S+) (\S+) HTTP\/1\.1$/.exec(start) ?? []
  if (method === undefined) throw new Error(`the pod got ${JSON.stringify(start)}`)
  const lengths = fields.filter((field) => /^content-length:/i.test(field))
  const codings = fields.filter((field) => /^transfer-encoding:/i.test(field))
  if (lengths.length + codings.length > 1) throw new Error(`the pod got ${JSON.stringify(fields)}`)
  const from = end + 4
  const body = codings.length > 0 ? readChunks(text, from) : readLength(text, from, Number(lengths[0]?.split(': ')[1] ?? 0))
  return body && { request: `${method} ${target} ${body.text}`, length: body.end }
}

interface Body {
  readonly text: string
  readonly end: number
}

const readLength = (text: string, from: number, length: number): Body | undefined =>
  text.length < from + length ? undefined : { text: text.slice(from, from + length), end: from + length }

const readChunks = (text: string, from: number): Body | undefined => {
  let body = ''
  for (let at = from; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) {
      const end = text.startsWith('\r\n', lineEnd + 2) ? lineEnd + 2 : text.indexOf('\r\n\r\n', lineEnd)
      if (end === -1) return undefined
      return text.length < end + 2 ? undefined : { text: body, end: text.startsWith('\r\n\r\n', end) ? end + 4 : end + 2 }
    }
    if (text.length < lineEnd + 2 + size + 2) return undefined
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
}
