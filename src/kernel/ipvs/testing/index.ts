export { type FakeDevice, fakeDevice } from './fake-device.ts'
export { type FakeConnection, type FakeIpvs, type FakeOutcome, type FakePacket, fakeIpvs } from './fake-ipvs.ts'
