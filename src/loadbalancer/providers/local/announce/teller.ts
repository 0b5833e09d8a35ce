import { errorMessage } from '../../../../base/index.ts'
import type { Exec } from '../../../../host/index.ts'
import { type Libc, type NoLibc, openPacketSocket, type PacketSocket } from '../../../../host/native/index.ts'
import type { Device } from './device.ts'
import { announcementFrames } from './frames.ts'

/** Tells everybody on a link where an address is. */
export interface Teller {
  /** Resolves when told; a failure is what is missing, in one line. */
  tell(device: Device, address: string): Promise<string | undefined>
  close(): void
}

/** Over a raw packet socket; without the native library by arping(8), which knows IPv4 only. */
export const createTeller = (load: () => Promise<Libc | NoLibc>, exec: Exec): Teller => {
  let socket: PacketSocket | undefined
  return {
    async tell(device, address) {
      const libc = await load()
      if ('missing' in libc) return tellByTool(exec, device, address, libc.missing)
      try {
        socket ??= openPacketSocket(libc)
        for (const frame of announcementFrames({ mac: device.mac, address })) socket.send(device.index, frame)
        return undefined
      } catch (error) {
        return `no frame can be sent on ${device.name}: ${errorMessage(error)}`
      }
    },
    close: () => socket?.close(),
  }
}

const tellByTool = async (exec: Exec, device: Device, address: string, missing: string): Promise<string | undefined> => {
  if (address.includes(':')) return `nothing tells of ${address}: ${missing}, and arping has no IPv6`
  try {
    await exec(['arping', '-U', '-c', '1', '-w', '2', '-I', device.name, address], { okCodes: [0, 1] })
    return undefined
  } catch (error) {
    return `nothing tells of ${address}: ${missing}, and ${errorMessage(error)}`
  }
}
