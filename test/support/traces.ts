import { readdirSync, readFileSync } from 'node:fs'
import { instanceTag } from '../../src/kernel/link/index.ts'
import { command, isRoot } from './instance.ts'

/**
 * What the instance with this data folder and slot has made in the kernel, as lines; other instances may run at the same time.
 * A running one must have some, or the look is blind.
 */
export const tracesOf = async (dataDir: string, slot: number): Promise<readonly string[]> => {
  const marks = [instanceTag(dataDir), `10.${97 + slot}.0.0/16`, `10.244.${slot + 1}.`]
  return (await machineTraces()).filter((line) => marks.some((mark) => line.includes(mark)))
}

const machineTraces = async (): Promise<readonly string[]> => {
  if (!isRoot) return []
  const [namespaces, links, routes, folders, tables] = await Promise.all([
    command('ip', ['netns', 'list']),
    command('ip', ['-o', 'link']),
    command('ip', ['-4', 'route', 'show', 'table', 'all']),
    command('sh', ['-c', 'ls /etc/netns 2>/dev/null || true']),
    command('nft', ['list', 'tables']),
  ])
  return [
    ...lines(namespaces.stdout).map((line) => `netns ${line.split(' ')[0]}`),
    ...lines(links.stdout).map((line) => `link ${line.split(':')[1]?.trim()}`),
    ...lines(routes.stdout).map((line) => `route ${line.trim()}`),
    ...lines(folders.stdout).map((line) => `/etc/netns ${line}`),
    ...lines(tables.stdout),
  ].sort()
}

/** Processes whose command line or environment names `text`, such as a data folder. */
export const processesOf = (text: string): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const commandLine = read(`/proc/${pid}/cmdline`)
      const found = commandLine.includes(text) || read(`/proc/${pid}/environ`).includes(text)
      return found ? [`${pid} ${commandLine.replaceAll('\0', ' ').slice(0, 200)}`] : []
    })

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Ended meanwhile, or another user's.
    return ''
  }
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line.trim() !== '')
