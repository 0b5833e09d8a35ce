export { type FakeInformer, type FakeInformerOptions, fakeInformer } from './fake-informer.ts'
export { until } from './until.ts'
