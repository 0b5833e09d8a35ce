export { type FakeBpf, type FakeBpfOptions, fakeBpf } from './fake-bpf.ts'
export type { FakeSocket, Peer } from './fake-socket.ts'
export { openTestCgroup, type TestCgroup } from './test-cgroup.ts'
