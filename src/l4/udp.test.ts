import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { createUdpForwarder, type Target, type UdpForwarderOptions, type UdpListen } from './index.ts'

const HOST = '127.78.0.2'
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const socketAt = async (address = HOST): Promise<Socket> => {
  const socket = createSocket('udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  cleanups.push(() => new Promise<void>((resolve) => socket.close(() => resolve())))
  return socket
}

/** Answers each datagram with its own name and the datagram. */
const answering = async (name: string): Promise<Target> => {
  const socket = await socketAt()
  socket.on('message', (datagram, { address, port }) => socket.send(`${name} ${datagram}`, port, address))
  return { address: HOST, port: socket.address().port }
}

const forward = async (choose: UdpListen['choose'], options: UdpForwarderOptions = {}) => {
  const forwarder = createUdpForwarder(options)
  cleanups.push(() => forwarder.close())
  const listener = await forwarder.listen({ address: HOST, port: 0, choose })
  return { forwarder, listener }
}

const ask = async (socket: Socket, { address, port }: Target, message: string): Promise<string> => {
  const answer = once(socket, 'message')
  socket.send(message, port, address)
  return String((await answer)[0])
}

describe('udp forwarder', () => {
  it('brings answers back from the address that was asked', async () => {
    const target = await answering('a')
    const { listener } = await forward(() => target)
    const client = await socketAt()
    const answer = once(client, 'message')
    client.send('hello', listener.port, HOST)
    const [datagram, from] = await answer
    expect(String(datagram)).toBe('a hello')
    expect(from).toMatchObject({ address: HOST, port: listener.port })
  })

  it('keeps a client at its endpoint while the flow lives, and tells clients apart by port', async () => {
    const targets = [await answering('a'), await answering('b')]
    let turn = 0
    const { listener, forwarder } = await forward(() => targets[turn++ % 2])
    const [one, two] = [await socketAt(), await socketAt()]
    expect(await ask(one, listener, '1')).toBe('a 1')
    expect(await ask(two, listener, '1')).toBe('b 1')
    expect(await ask(one, listener, '2')).toBe('a 2')
    expect(forwarder.statistics().flows).toBe(2)
  })

  it('ends flows to an endpoint that is gone', async () => {
    const targets = [await answering('a'), await answering('b')]
    let current = targets[0]
    const { listener } = await forward(() => current)
    const client = await socketAt()
    expect(await ask(client, listener, '1')).toBe('a 1')
    current = targets[1]
    listener.endFlows(({ port }) => port === targets[0]?.port)
    expect(await ask(client, listener, '2')).toBe('b 2')
  })

  it('chooses again when the endpoint is unreachable', async () => {
    const gone = createSocket('udp4')
    gone.bind(0, HOST)
    await once(gone, 'listening')
    const dead = { address: HOST, port: gone.address().port }
    await new Promise<void>((resolve) => gone.close(() => resolve()))
    const alive = await answering('b')
    const chosen: Target[] = []
    const { listener, forwarder } = await forward(() => {
      const target = chosen.length === 0 ? dead : alive
      chosen.push(target)
      return target
    })
    const client = await socketAt()
    const answer = once(client, 'message')
    // The first ones are lost, as with any network; the client repeats.
    while (chosen.length < 2) {
      client.send('again', listener.port, HOST)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(String((await answer)[0])).toBe('b again')
    expect(forwarder.statistics().flows).toBe(1)
  })

  it('ends a flow that was idle for too long, and needs no timer without flows', async () => {
    const clock = pausedClock()
    const target = await answering('a')
    const { listener, forwarder } = await forward(() => target, { clock, idleMs: 10_000 })
    const client = await socketAt()
    await ask(client, listener, '1')
    await clock.advance(6_000)
    await ask(client, listener, '2')
    await clock.advance(6_000)
    expect(forwarder.statistics().flows).toBe(1)
    await clock.advance(5_000)
    expect(forwarder.statistics()).toMatchObject({ flows: 0, opened: 1 })
  })

  it('ends the flow that was silent longest when there are too many', async () => {
    const clock = pausedClock()
    const target = await answering('a')
    const { listener, forwarder } = await forward(() => target, { clock, maxFlows: 2 })
    const [one, two, three] = [await socketAt(), await socketAt(), await socketAt()]
    await ask(one, listener, '1')
    await ask(two, listener, '1')
    await clock.advance(2_000)
    await ask(one, listener, '2')
    await ask(three, listener, '1')
    expect(forwarder.statistics()).toMatchObject({ flows: 2, evicted: 1, opened: 3 })
    await ask(one, listener, '3')
    expect(forwarder.statistics().opened).toBe(3)
  })

  it.each([
    ['nobody is chosen', () => undefined],
    [
      'the choice throws',
      (): undefined => {
        throw new Error('bug')
      },
    ],
  ])('drops the datagram when %s', async (_title, refuse) => {
    const target = await answering('a')
    let isOpen = false
    const { listener, forwarder } = await forward(() => (isOpen ? target : refuse()))
    const client = await socketAt()
    client.send('lost', listener.port, HOST)
    while (forwarder.statistics().dropped === 0) await new Promise((resolve) => setImmediate(resolve))
    isOpen = true
    expect(await ask(client, listener, 'kept')).toBe('a kept')
  })

  it('answers with port unreachable once the listener is closed', async () => {
    const target = await answering('a')
    const { listener } = await forward(() => target)
    await listener.close()
    const client = createSocket('udp4')
    client.connect(listener.port, HOST)
    await once(client, 'connect')
    const refused = once(client, 'error')
    client.send('x')
    expect((await refused)[0]).toMatchObject({ code: 'ECONNREFUSED' })
    client.close()
  })

  it('carries the largest datagram', async () => {
    const target = await answering('a')
    const { listener } = await forward(() => target)
    const client = await socketAt()
    const large = 'x'.repeat(65_000)
    expect(await ask(client, listener, large)).toBe(`a ${large}`)
  })
})
