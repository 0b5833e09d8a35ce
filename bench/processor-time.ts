import { readFileSync } from 'node:fs'

/** Kernel clock ticks a second; 100 on every Linux that Debian builds. */
const TICKS = 100

/** User and system time of a process so far, in seconds. */
export const processorSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
