import type { FlowEnd, ListFilter } from './entries.ts'

/** A walk of a table of 100,000 costs about a tenth of giving it out, so up to so many walks that give out little are better than one that gives all. */
const MOST_WALKS = 8

/**
 * Splits a filter into the lists that answer it together at the least cost: a filter of the kernel takes one address and one port, so flows to few
 * addresses, or to few ports, are asked for one by one.
 */
export const listsOf = (filter: ListFilter): readonly ListFilter[] => {
  const { destinations, family } = filter
  if (destinations === undefined) return [filter]
  const byPort = groups(destinations, 'port')
  const byAddress = groups(destinations, 'address')
  const fewest = family === 'IPv6' || byPort.length < byAddress.length ? byPort : byAddress
  return fewest.length > MOST_WALKS ? [filter] : fewest.map((each) => ({ ...filter, destinations: each }))
}

const groups = (ends: readonly FlowEnd[], side: 'address' | 'port'): readonly (readonly FlowEnd[])[] => {
  const found = new Map<string | number, FlowEnd[]>()
  for (const end of ends) {
    const known = found.get(end[side])
    if (known === undefined) found.set(end[side], [end])
    else known.push(end)
  }
  return [...found.values()]
}

/**
 * The address and the port that the kernel can filter by: those that all destinations have in common. No address of IPv6: Linux (5.8 to at least 6.18)
 * takes the comparison the wrong way round and gives the flows to all others.
 */
export const kernelFilter = ({ family, destinations = [] }: ListFilter): Partial<FlowEnd> => {
  const [first] = destinations
  if (first === undefined) return {}
  const hasOneAddress = family === 'IPv4' && destinations.every(({ address }) => address === first.address)
  return {
    ...(hasOneAddress ? { address: first.address } : {}),
    ...(destinations.every(({ port }) => port === first.port) ? { port: first.port } : {}),
  }
}

/** Tells whether a flow's destination is one that a filter wants. */
export const wantedDestination = ({ destinations }: ListFilter): ((destination: FlowEnd) => boolean) => {
  if (destinations === undefined) return () => true
  const wanted = new Set(destinations.map(keyOf))
  return (destination) => wanted.has(keyOf(destination))
}

const keyOf = ({ address, port }: FlowEnd): string => `${address} ${port}`
