export { away, CLIENTS, type FlowWorld, flowWorld, here, meaning, NODE, VIRTUAL, verdictOf } from './flow-world.ts'
