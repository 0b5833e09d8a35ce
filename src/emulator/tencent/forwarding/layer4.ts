import type { Socket } from 'node:net'
import type { Client } from '../../../l4/index.ts'
import type { Listener } from '../model.ts'
import { type Candidate, createBalancer, keyOf } from './balancer.ts'
import { type BoundAt, bindPort } from './bind.ts'
import { balanceTargets, isToEnd, type OpenerDeps, type OpenListener } from './open-listener.ts'

interface Connection {
  readonly socket: Socket
  target: Candidate | undefined
}

/** A TCP listener. Established connections outlive their target's weight and registration, unless the listener says otherwise. */
export const openTcp = async (at: BoundAt, deps: OpenerDeps): Promise<OpenListener> => {
  const balancer = createBalancer(() => deps.clock.monotonic())
  const connections = new Map<string, Connection>()
  let maxConnections = Number.POSITIVE_INFINITY
  const leave = (connection: Connection): void => {
    if (connection.target !== undefined) balancer.closed(connection.target)
    connection.target = undefined
  }
  const introduce = (socket: Socket, peer: Client, done: (client: Client) => void): void => {
    const key = keyOf(peer)
    const connection: Connection = { socket, target: undefined }
    connections.set(key, connection)
    socket.once('close', () => {
      leave(connection)
      if (connections.get(key) === connection) connections.delete(key)
    })
    done(peer)
  }
  const choose = (
    client: Client,
    tried: readonly { readonly address: string; readonly port: number }[],
  ): Candidate | undefined => {
    const connection = connections.get(keyOf(client))
    if (connection === undefined || connections.size > maxConnections) return undefined
    leave(connection)
    connection.target = balancer.choose(client.address, tried)
    if (connection.target !== undefined) balancer.opened(connection.target)
    return connection.target
  }
  const bound = await bindPort(at, deps.portOffset, (port) => deps.tcp.listen({ address: at.address, port, choose, introduce }))
  return {
    at: bound,
    update: (listener) => {
      balanceTargets(balancer, listener, deps)
      maxConnections = limitOf(listener)
      const ends = isToEnd(listener)
      for (const { socket, target } of connections.values()) if (target !== undefined && ends(target)) socket.resetAndDestroy()
    },
    close: () => bound.close(),
  }
}

const limitOf = ({ maxConn }: Listener): number => (maxConn === undefined || maxConn < 0 ? Number.POSITIVE_INFINITY : maxConn)

/** A UDP listener: a flow leaves a target that is dead, or gone. */
export const openUdp = async (at: BoundAt, deps: OpenerDeps): Promise<OpenListener> => {
  const balancer = createBalancer(() => deps.clock.monotonic())
  const bound = await bindPort(at, deps.portOffset, (port) =>
    deps.udp.listen({ address: at.address, port, choose: (client) => balancer.choose(client.address) }),
  )
  return {
    at: bound,
    update: (listener) => {
      // Nobody sees a flow end, so there are no connections to count.
      balanceTargets(balancer, { ...listener, scheduler: 'WRR' }, deps)
      const ends = isToEnd({ ...listener, deregisterTargetRst: true })
      const dead = new Set(listener.targets.filter((target) => deps.checks.healthOf(listener, target) === 'Dead').map(keyOf))
      const isAnyAlive = dead.size < listener.targets.length
      bound.endFlows((target) => ends(target) || (isAnyAlive && dead.has(keyOf(target))))
    },
    close: () => bound.close(),
  }
}
