export { createIpset } from './ipset.ts'
export { type Direction, entryMatches, kindsOf, netOf, type SetPacket } from './matches.ts'
export { type Command, type IPSet, type Ipset, MAX_SET_NAME, type Member, type ReadSet, type SetType } from './objects.ts'
export { renderCommand } from './render.ts'
