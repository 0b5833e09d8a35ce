import { expect, it } from 'vitest'
import { cgroupMount } from './cgroup-mount.ts'

it.each<[string, string, string | undefined]>([
  [
    'alone, as systemd mounts it',
    '31 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate',
    '/sys/fs/cgroup',
  ],
  [
    'beside version 1',
    '40 31 0:37 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw',
    '/sys/fs/cgroup/unified',
  ],
  ['with a blank in its path', '41 31 0:38 / /mnt/c\\040g rw - cgroup2 none rw', '/mnt/c g'],
  ['only a part of the tree', '41 31 0:38 /system.slice/x /sys/fs/cgroup rw - cgroup2 none rw', undefined],
  ['a part above a namespace', '41 31 0:38 /../.. /sys/fs/cgroup rw - cgroup2 none rw', undefined],
  ['version 1 alone', '40 31 0:37 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu', undefined],
  ['no mounts', '', undefined],
])('finds the cgroup tree: %s', (_, text, path) => {
  expect(cgroupMount(text)).toBe(path)
})
