import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { errorMessage } from '../../base/index.ts'
import { HostError } from '../../host/index.ts'
import { OWN_NAMESPACE, type SockDiag } from './sockets.ts'

/** Ends a socket of this process: what the kernel lacks, and what it forbids, shows only so. Nothing is sent. */
export const probe = async (sockDiag: Pick<SockDiag, 'connectedTo' | 'destroy'>): Promise<string | undefined> => {
  const socket = createSocket('udp4')
  // It is told that it was ended, when that works.
  socket.on('error', () => {})
  try {
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    // To itself: nobody else is connected there.
    const { port } = socket.address()
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const found = await sockDiag.connectedTo([{ address: '127.0.0.1', port }], [OWN_NAMESPACE])
    if (found.length === 0) return 'sockets: the kernel does not show connected UDP sockets; it needs CONFIG_INET_UDP_DIAG'
    return (await sockDiag.destroy(found)) > 0 ? undefined : CANNOT_END
  } catch (error) {
    if (error instanceof HostError) return refusal(error)
    throw error
  } finally {
    socket.close()
  }
}

const CANNOT_END = 'sockets: the kernel does not end sockets; it needs CONFIG_INET_DIAG_DESTROY'

const refusal = (error: HostError): string => {
  switch (error.code) {
    case 'EPERM':
      return 'sockets: no permission to end sockets; run as root or grant CAP_NET_ADMIN'
    case 'EOPNOTSUPP':
      return CANNOT_END
    case 'ENOENT':
      // The tool is missing, or the kernel has nobody who knows UDP sockets.
      return error.command[0] === 'netlink'
        ? 'sockets: the kernel does not show UDP sockets; load the module udp_diag (CONFIG_INET_UDP_DIAG)'
        : error.message
    default:
      return `sockets: the kernel does not answer (${errorMessage(error)}); it needs CONFIG_INET_UDP_DIAG and CONFIG_INET_DIAG_DESTROY`
  }
}
