/** What else the account has: the machines and subnets that load balancers refer to. Read from flags or a file, never changed by the API. */
export interface Inventory {
  readonly vpcId: string
  readonly zone: string
  readonly instances: readonly Instance[]
  /** When there is none, every well-formed subnet id is taken for one of `vpcId`. */
  readonly subnets: readonly Subnet[]
}

export interface Instance {
  readonly id: string
  /** Where its traffic goes on this machine. */
  readonly address: string
  /** Its address in the VPC, by which nodes are found; `address` when left out. */
  readonly privateAddress?: string
  readonly name?: string
}

export interface Subnet {
  readonly id: string
  readonly cidr: string
  readonly vpcId?: string
}

export const emptyInventory: Inventory = { vpcId: 'vpc-emulator', zone: 'ap-guangzhou-3', instances: [], subnets: [] }

export const instanceOf = (inventory: Inventory, id: string): Instance | undefined =>
  inventory.instances.find((instance) => instance.id === id)

/** The VPC of a subnet; undefined when there is no such subnet. */
export const vpcOfSubnet = ({ subnets, vpcId }: Inventory, subnetId: string): string | undefined => {
  if (subnets.length === 0) return vpcId
  const found = subnets.find(({ id }) => id === subnetId)
  return found && (found.vpcId ?? vpcId)
}
