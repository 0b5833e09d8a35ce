export { type FakeKernel, fakeKernel } from './fake-kernel.ts'
