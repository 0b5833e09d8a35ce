import { once } from 'node:events'
import { constants } from 'node:fs'
import { chmod, type FileHandle, open, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { aborted, errorCode, errorMessage, type Running, UserError } from '../base/index.ts'

/** Questions that only the running process can answer, such as where a connection would go. */
export type ControlHandlers = Readonly<Record<string, (query: URLSearchParams) => unknown>>

const socketPath = (dataDir: string): string => join(dataDir, 'control.sock')

/** Answers questions as JSON on a socket in the data folder, which only its owner can open. */
export const serveControl = (dataDir: string, handlers: ControlHandlers) => ({
  name: 'control',
  async start(signal: AbortSignal): Promise<Running> {
    const path = socketPath(dataDir)
    await rm(path, { force: true })
    const server = createServer((incoming, response) => answer(handlers, incoming, response))
    // Kept open: the server removes its socket by the same path when it closes.
    const opened = await openFolder(dataDir)
    server.listen(opened.socket)
    await once(server, 'listening')
    await chmod(path, 0o600)
    const stopped = aborted(signal).then(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await opened.folder.close()
      await rm(path, { force: true })
    })
    return { stopped }
  },
})

/** The socket's path by way of the open folder: the kernel takes 107 bytes (unix(7)), Node cuts what is longer without a word. */
const openFolder = async (dataDir: string): Promise<{ readonly folder: FileHandle; readonly socket: string }> => {
  const folder = await open(dataDir, constants.O_DIRECTORY)
  return { folder, socket: socketPath(`/proc/self/fd/${folder.fd}`) }
}

const answer = (handlers: ControlHandlers, incoming: IncomingMessage, response: ServerResponse): void => {
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://control')
  const name = pathname.slice(1)
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined
  try {
    const body = handler ? handler(searchParams) : { error: `no such question: ${name}` }
    send(response, handler ? 200 : 404, body)
  } catch (error) {
    send(response, error instanceof UserError ? 400 : 500, { error: errorMessage(error) })
  }
}

const send = (response: ServerResponse, code: number, body: unknown): void => {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body ?? null))
}

/** Asks the instance that runs on a data folder; throws `UserError` with its words when it refuses, or when none runs. */
export const askControl = async (dataDir: string, question: string, query: URLSearchParams): Promise<unknown> => {
  const path = `/${question}?${query}`
  const response = await responseOf(dataDir, path).catch((error: unknown) => {
    const absent = ['ENOENT', 'ENOTDIR', 'ECONNREFUSED'].includes(errorCode(error) ?? '')
    throw absent ? new UserError(`nothing runs on ${dataDir}; start it with "fairway up --data-dir ${dataDir}"`) : error
  })
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(Buffer.from(chunk))
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  if (response.statusCode !== 200) throw new UserError(messageOf(body))
  return body
}

const responseOf = async (dataDir: string, path: string): Promise<IncomingMessage> => {
  const { folder, socket } = await openFolder(dataDir)
  try {
    const call = request({ socketPath: socket, path, timeout: 10_000 })
    call.end()
    // The event has the response alone.
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    return response
  } finally {
    await folder.close()
  }
}

const messageOf = (body: unknown): string =>
  typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : 'the instance gave no reason'
