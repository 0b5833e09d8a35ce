export { type LoopbackNodePortsOptions, withLoopbackNodePorts } from './loopback-node-ports.ts'
