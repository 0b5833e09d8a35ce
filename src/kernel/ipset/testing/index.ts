export { type FakeIpset, fakeIpset } from './fake-ipset.ts'
