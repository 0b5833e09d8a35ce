export { type FakeIpset, fakeIpset, type SetPacket } from './fake-ipset.ts'
