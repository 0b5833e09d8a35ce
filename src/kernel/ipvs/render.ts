import {
  type IPProtocol,
  type Operation,
  type RealAddress,
  type RealServer,
  realText,
  type ServerAddress,
  serverText,
  type VirtualServer,
} from './objects.ts'

/** Operations as input for `ipvsadm --restore`, one a line. Fails on text that could end one. */
export const renderOperations = (operations: readonly Operation[]): string =>
  operations.map((each) => `${renderOperation(each)}\n`).join('')

/** One operation as `ipvsadm --restore` takes it and `ipvsadm --save` prints it. */
export const renderOperation = (operation: Operation): string => {
  const { kind } = operation
  switch (kind) {
    case 'add server':
    case 'edit server':
      return `${kind === 'add server' ? '-A' : '-E'} ${serverWords(operation.server)}${serverOptions(operation.server)}`
    case 'delete server':
      return `-D ${serverWords(operation.server)}`
    case 'add real':
    case 'edit real':
      checkFamily(operation.server, operation.real)
      return `${kind === 'add real' ? '-a' : '-e'} ${serverWords(operation.server)}${realOptions(operation.real)}`
    case 'delete real':
      return `-d ${serverWords(operation.server)} -r ${plainTarget(operation.real)}`
    default:
      return kind satisfies never
  }
}

/** How `ipvsadm` names the protocols. */
const SERVICE_FLAGS: Readonly<Record<IPProtocol, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }

/** The words that name a virtual server. */
export const serverWords = ({ protocol, ...target }: ServerAddress): string => `${SERVICE_FLAGS[protocol]} ${plainTarget(target)}`

const serverOptions = ({ scheduler, persistentSeconds }: VirtualServer): string =>
  ` -s ${plain(scheduler, /^[a-z]+$/)}${persistentSeconds === undefined ? '' : ` -p ${persistentSeconds}`}`

const realOptions = (real: RealServer): string => ` -r ${plainTarget(real)} -m -w ${real.weight}`

/** ipvsadm would end the whole input. */
const checkFamily = (server: ServerAddress, real: RealAddress): void => {
  if (server.address.includes(':') === real.address.includes(':')) return
  throw new Error(`ipvs: real server ${realText(real)} is of another address family than ${serverText(server)}`)
}

const plainTarget = (target: RealAddress): string => plain(realText(target), /^(\d+(\.\d+){3}|\[[\da-f:.]+\]):\d+$/)

const plain = (text: string, pattern: RegExp): string => {
  if (!pattern.test(text)) throw new Error(`ipvs: ${JSON.stringify(text.slice(0, 100))} is not plain text`)
  return text
}
