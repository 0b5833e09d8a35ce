export { type BootstrapOptions, bootstrap } from './bootstrap.ts'
