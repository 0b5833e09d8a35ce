/**
 * Where the root of the cgroup v2 tree is mounted, out of `/proc/self/mountinfo` (proc(5)); undefined when it is not. A mount that shows only a
 * part of the tree is none: programs would see the sockets of that part alone.
 */
export const cgroupMount = (mountInfo: string): string | undefined => {
  for (const line of mountInfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, point] = before.split(' ')
    if (after.startsWith('cgroup2 ') && root === '/' && point !== undefined) return plain(point)
  }
  return undefined
}

/** Blanks and backslashes are octal numbers there. */
const plain = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
