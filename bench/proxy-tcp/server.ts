/** `server.ts ADDRESS PORT PORTS`: answers two bytes and ends on PORTS ports from PORT on; streams without end on the port after them. */
import { createServer, type Socket } from 'node:net'

const [address = '', first = '0', count = '1'] = process.argv.slice(2)
const chunk = Buffer.alloc(256 * 1024, 120)

const answer = (socket: Socket): void => {
  socket.on('error', () => {})
  socket.once('data', () => socket.end('ok'))
}
const stream = (socket: Socket): void => {
  socket.on('error', () => {})
  const fill = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  }
  socket.on('drain', fill)
  fill()
}
const last = Number(first) + Number(count)
for (let port = Number(first); port <= last; port++) {
  const server = createServer({ noDelay: true }, port === last ? stream : answer)
  server.listen({ host: address, port, backlog: 4096 }, () => {
    if (port === last) process.stdout.write('ready\n')
  })
}
process.on('disconnect', () => process.exit())
