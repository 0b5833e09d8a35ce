export type { FakePacket, FakeVerdict } from './evaluate.ts'
export { type FakeIptables, type FakeOptions, fakeIptables } from './fake-iptables.ts'
