/**
 * Runs in the virtual machine: takes requests, one a line, at its virtio port and writes the answers there,
 * `{id, result}` or `{id, error}`. The first line greets with id 0.
 */
import { createReadStream, createWriteStream, openSync, readdirSync, readFileSync } from 'node:fs'
import { HostError, realExec } from '../../src/host/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { type Lab, openLab } from '../netns/lab.ts'
import type { GuestLab, GuestPlan, GuestRequest } from './protocol.ts'

const PORTS = '/sys/class/virtio-ports'
let lab: Lab | undefined

const act = async (request: GuestRequest): Promise<unknown> => {
  switch (request.op) {
    case 'exec':
      return realExec(request.argv, request.options)
    case 'open lab':
      lab ??= await openLab('vm')
      return guestLab(lab)
    case 'send':
      return opened().send(request.packet)
    case 'agent':
      return opened().agentAt(request.address).ask(request.request)
    default:
      return request satisfies never
  }
}

const guestLab = (open: Lab): GuestLab => {
  const planOf = (family: IPFamily): GuestPlan => {
    const { clusterIP, ...plan } = open.plan(family)
    return { ...plan, clusterIPs: Array.from({ length: 8 }, (_, index) => clusterIP(index)) }
  }
  return { node: open.node.name, plans: { IPv4: planOf('IPv4'), IPv6: planOf('IPv6') } }
}

const opened = (): Lab => {
  if (lab === undefined) throw new Error('the laboratory is not open')
  return lab
}

// The laboratory starts its agents with the program that runs it; here that is a script that starts a bundle of theirs instead.
process.execPath = process.argv[2] ?? process.execPath

const name = readdirSync(PORTS).find((port) => readFileSync(`${PORTS}/${port}/name`, 'utf8').trim() === 'fairway')
if (name === undefined) throw new Error('no virtio port is named fairway')
// The kernel lets a port be opened once.
const fd = openSync(`/dev/${name}`, 'r+')
const output = createWriteStream('', { fd })
const answer = (value: object): void => void output.write(`${JSON.stringify(value)}\n`)

const onLine = (line: string): void => {
  const { id, request } = JSON.parse(line) as { readonly id: number; readonly request: GuestRequest }
  act(request).then(
    (result) => answer({ id, result }),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      if (!(error instanceof HostError)) return answer({ id, error: message })
      const { code, command, exitCode, stderr } = error
      answer({ id, error: message, details: { code, command, exitCode, stderr } })
    },
  )
}

let rest = ''
createReadStream('', { fd, encoding: 'utf8' }).on('data', (chunk) => {
  const lines = `${rest}${chunk}`.split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) onLine(line)
})
answer({ id: 0 })
