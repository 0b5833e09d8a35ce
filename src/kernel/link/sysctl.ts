import type { Exec } from '../../host/index.ts'

/** Settings below /proc/sys/net, such as `ipv4/conf/eth0/forwarding`, of the network namespace in which `exec` acts. */
export interface Sysctls {
  /** In the order of `names`; undefined where the kernel, or the device, does not have it. */
  read(names: readonly string[]): Promise<readonly (string | undefined)[]>
  /** Writes what differs. Rejects when the kernel refuses a value; one that does not exist any more is passed over. */
  ensure(values: Readonly<Record<string, string>>): Promise<void>
}

/** {@link Sysctls} through the shell, which every system has: one process for any number of settings. */
export const createSysctls = (exec: Exec): Sysctls => {
  const read = async (names: readonly string[]): Promise<readonly (string | undefined)[]> => {
    if (names.length === 0) return []
    const { stdout } = await exec(['sh', '-c', READ, 'sh', ...names.map(plainPath)])
    const lines = stdout.split('\n')
    return names.map((_, index) => lines[index] || undefined)
  }
  return {
    read,
    async ensure(values) {
      const names = Object.keys(values)
      const actual = await read(names)
      const wrong = names.filter((name, index) => actual[index] !== undefined && actual[index] !== values[name])
      if (wrong.length === 0) return
      await exec(['sh', '-ec', WRITE, 'sh', ...wrong.flatMap((name) => [plainPath(name), values[name] ?? ''])])
    },
  }
}

const READ = 'for name; do cat "/proc/sys/net/$name" 2>/dev/null || echo; done'
const WRITE = 'while [ $# -gt 0 ]; do if [ -e "/proc/sys/net/$1" ]; then echo "$2" > "/proc/sys/net/$1"; fi; shift 2; done'

/** A device's name may be almost anything, but nothing that leads out of the folder. */
const plainPath = (name: string): string => {
  if (/(^|\/)\.\.?(\/|$)|^\/|\s/.test(name)) throw new Error(`sysctl: ${JSON.stringify(name)} is not a setting's name`)
  return name
}
