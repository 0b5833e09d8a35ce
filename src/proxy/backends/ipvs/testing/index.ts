export { type FakeKernel, fakeKernel } from './fake-kernel.ts'
export { change, from, node, opened, serviceCIDRs, WEB, web, weights } from './world.ts'
