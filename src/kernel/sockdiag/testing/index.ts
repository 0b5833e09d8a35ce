export { type FakeSockDiag, type FakeSocket, fakeSockDiag } from './fake-sock-diag.ts'
