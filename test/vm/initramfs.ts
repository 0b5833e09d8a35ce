import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { findOnPath, realExec } from '../../src/host/index.ts'
import type { GuestKernel } from './kernel.ts'

/** Modules that are needed before the host's files are there; later ones the kernel loads by itself. */
const EARLY_MODULES = ['virtio_pci', 'virtio_console', 'virtio_rng', '9pnet_virtio', '9p', 'overlay']

export interface InitramfsOptions {
  readonly kernel: GuestKernel
  /** Where it is written. */
  readonly path: string
  /** Shell text that runs as root in the host's root folder; the machine powers off when it ends. */
  readonly command: string
}

/** Writes the initial file system: busybox, a few modules, and an init that goes over to the host's root. */
export const writeInitramfs = async ({ kernel, path, command }: InitramfsOptions): Promise<void> => {
  const root = await mkdtemp(join(tmpdir(), 'fairway-initramfs-'))
  try {
    for (const folder of ['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'over', 'new']) await mkdir(join(root, folder))
    await copyFile(findOnPath('busybox') ?? 'busybox', join(root, 'bin/busybox'))
    const modules = await earlyModules(kernel)
    for (const module of modules) await copyFile(module, join(root, 'modules', basename(module)))
    await writeFile(
      join(root, 'init'),
      initScript(
        modules.map((module) => basename(module)),
        command,
      ),
      { mode: 0o755 },
    )
    await realExec(['sh', '-ec', 'find . | cpio --quiet -o -H newc | gzip -1 > "$0"', path], { cwd: root })
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** Each with what it depends on, in the order of loading. */
const earlyModules = async ({ modulesRoot, version }: GuestKernel): Promise<readonly string[]> => {
  const files = new Set<string>()
  for (const module of EARLY_MODULES) {
    const { stdout } = await realExec(['modprobe', '-d', modulesRoot, '-S', version, '--show-depends', module])
    for (const [, file = ''] of stdout.matchAll(/^insmod (\S+)/gm)) files.add(file)
  }
  return [...files]
}

/**
 * The host's root lies below a tmpfs, so everything can be written and nothing of it reaches the host. Process 1 changes its root:
 * the kernel then looks for modprobe there too.
 */
const initScript = (modules: readonly string[], command: string): string => `#!/bin/busybox sh
bb=/bin/busybox
fail() { echo "fairway-vm: $1"; $bb poweroff -f; }
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev
for module in ${modules.join(' ')}; do $bb insmod /modules/$module || fail "insmod $module"; done
$bb mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || fail "mount host"
$bb mount -t tmpfs -o mode=755 tmpfs /over
$bb mkdir /over/upper /over/work
$bb mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work overlay /new || fail "mount overlay"
for folder in proc sys dev; do $bb mount -o move /$folder /new/$folder; done
$bb mount -t tmpfs -o mode=755 tmpfs /new/run
$bb mkdir -p /new/lib/modules /new/dev/pts /new/dev/shm
$bb mount -t devpts devpts /new/dev/pts
$bb mount -t tmpfs tmpfs /new/dev/shm
$bb mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 modules /new/lib/modules || fail "mount modules"
# Opened again and again (ipset asks for the protocol of every member), which takes milliseconds over 9p: touched, they are copied up.
for file in ld.so.cache nsswitch.conf protocols services; do [ ! -e /new/etc/$file ] || $bb touch /new/etc/$file; done
exec $bb switch_root /new /bin/sh -c '${command.replaceAll("'", `'\\''`)}
busybox poweroff -f'
`
