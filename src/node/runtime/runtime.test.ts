import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { realExec } from '../../host/index.ts'
import { parseMountinfo, resolveInRoot } from './host-mounts.ts'
import { launchCommand, quote } from './launch.ts'
import { canLieBelow, isKernelPath, rootfsCommands } from './rootfs.ts'

describe('quote', () => {
  it('makes any text one word of a shell', async () => {
    const texts = fc.sample(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
      50,
    )
    const script = `printf '%s\\0' ${texts.map(quote).join(' ')}`
    const { stdout } = await realExec(['sh', '-c', script])
    expect(stdout).toBe(texts.map((text) => `${Buffer.from(text).toString('utf8')}\0`).join(''))
  })
})

describe('resolveInRoot', () => {
  it('follows links within the root and never out of it', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fairway-root-'))
    await mkdir(join(root, 'run/secrets'), { recursive: true })
    await mkdir(join(root, 'var'))
    await symlink('/run', join(root, 'var/run'))
    await symlink('../../../..', join(root, 'var/up'))
    await symlink('/loop', join(root, 'loop'))
    for (const [path, expected] of [
      ['/var/run/secrets/x', '/run/secrets/x'],
      ['/var/up/etc', '/etc'],
      ['/../../x', '/x'],
      ['//a/./b/../c', '/a/c'],
      ['/none/deep', '/none/deep'],
      ['/', '/'],
    ] as const) {
      expect(await resolveInRoot(root, path)).toBe(expected)
    }
    await expect(resolveInRoot(root, '/loop/x')).rejects.toThrow(/too many symbolic links/)
    await rm(root, { recursive: true })
  })
})

describe('parseMountinfo', () => {
  it('reads mount points with blanks, optional fields and without', () => {
    const text = '36 35 98:0 / /mnt\\040a rw,noatime shared:1 - ext4 /dev/sda rw\n37 35 0:1 / /x rw - tmpfs tmpfs rw\ngarbage\n'
    expect(parseMountinfo(text)).toEqual([
      { point: '/mnt a', type: 'ext4' },
      { point: '/x', type: 'tmpfs' },
    ])
  })
})

describe('a view', () => {
  const plan = { folder: '/d', lower: '/', lowerMounts: ['/home'], files: [], hidden: [], workingDir: '/' }
  const mount = (target: string, readOnly = false) => ({ source: `/s${target}`, isFile: false, target, readOnly })

  it('mounts parents before what lies in them', () => {
    const binds = rootfsCommands({ ...plan, mounts: [mount('/a/b'), mount('/a', true)] }).filter((command) =>
      command.includes('--bind'),
    )
    expect(binds).toEqual(["mount --bind '/s/a' 'r/a'", "mount --bind '/s/a/b' 'r/a/b'"])
  })

  it('lets nothing be mounted over the kernel, and no separator into overlay’s options', () => {
    expect(['/dev', '/proc/x', '/sys/y', '/device', '/processes'].map(isKernelPath)).toEqual([true, true, true, false, false])
    expect(['/plain', '/a,b', '/a:b', '/a\\b'].map(canLieBelow)).toEqual([true, false, false, false])
  })
})

describe('launchCommand', () => {
  it('hands the container’s words on as they are', async () => {
    const words = ['a b', '$HOME', '"', "'", '*', '']
    const launch = { isolation: 'none' as const, argv: ['printf', '%s|', ...words], workingDir: '/', hostname: 'h', setup: [] }
    const [command, ...args] = launchCommand(launch)
    const { stdout } = await realExec(['sh', '-c', `exec 3>/dev/null; exec "$@"`, 'sh', command, ...args])
    expect(stdout).toBe(words.map((word) => `${word}|`).join(''))
  })
})
