import { CloudError } from '../errors.ts'
import type { Instance, Inventory, Subnet } from '../inventory.ts'
import { list, type Of, optional, record, type Shape, text, whole } from '../shape.ts'
import type { State } from '../state.ts'
import { type Action, action, answer, type Context, notModelled, type Outcome } from './action.ts'

const filters = optional(list(record({ Name: text(), Values: list(text(), 1, 5) }), 0, 10))
type Filters = readonly { readonly Name: string; readonly Values: readonly string[] }[]

const instances = record({
  InstanceIds: optional(list(text(), 0, 100)),
  Filters: filters,
  Offset: optional(whole(0, 2 ** 31)),
  Limit: optional(whole(1, 100)),
})

const describeInstances = (_: State, request: Of<typeof instances>, { inventory }: Context): Outcome => {
  const { InstanceIds: ids = [], Filters = [], Offset = 0, Limit = 20 } = request
  if (ids.length > 0 && Filters.length > 0)
    throw new CloudError('InvalidParameter', '`InstanceIds` and `Filters` exclude each other.')
  for (const id of ids)
    if (!inventory.instances.some((one) => one.id === id))
      throw new CloudError('InvalidInstanceId.NotFound', `The instance ${id} does not exist.`)
  const found = inventory.instances
    .filter(({ id }) => ids.length === 0 || ids.includes(id))
    .filter((one) => passes(Filters, INSTANCE_FIELDS, { one, inventory }))
  return answer({
    TotalCount: found.length,
    InstanceSet: found.slice(Offset, Offset + Limit).map((one) => describeInstance(one, inventory)),
  })
}

interface Within<T> {
  readonly one: T
  readonly inventory: Inventory
}
type FilterFields<T> = Readonly<Record<string, (within: Within<T>) => string>>

const INSTANCE_FIELDS: FilterFields<Instance> = {
  'instance-id': ({ one }) => one.id,
  'instance-name': ({ one }) => one.name ?? one.id,
  'private-ip-address': ({ one }) => one.privateAddress ?? one.address,
  'vpc-id': ({ inventory }) => inventory.vpcId,
  zone: ({ inventory }) => inventory.zone,
}

const passes = <T>(given: Filters, fields: FilterFields<T>, within: Within<T>): boolean =>
  given.every(({ Name, Values }) => {
    const field = fields[Name]
    if (field === undefined)
      throw new CloudError('InvalidFilter', `The filter ${JSON.stringify(Name.slice(0, 80))} is not supported.`)
    return Values.includes(field(within))
  })

const describeInstance = (one: Instance, { vpcId, zone }: Inventory): unknown => {
  const addresses = [one.privateAddress ?? one.address]
  return {
    InstanceId: one.id,
    InstanceName: one.name ?? one.id,
    InstanceState: 'RUNNING',
    Placement: { Zone: zone, ProjectId: 0 },
    PrivateIpAddresses: addresses,
    PublicIpAddresses: null,
    VirtualPrivateCloud: { VpcId: vpcId, SubnetId: '', AsVpcGateway: false, PrivateIpAddresses: addresses },
    Tags: [],
  }
}

/** Two actions of the VPC API write these numbers as texts. */
const numberText: Shape<number> = {
  read: (value, at) => whole(0, 2 ** 31).read(typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value, at),
}

const subnets = record({
  SubnetIds: optional(list(text(), 0, 100)),
  Filters: filters,
  Offset: optional(numberText),
  Limit: optional(numberText),
  MaxResults: notModelled,
  NextToken: notModelled,
})

const SUBNET_FIELDS: FilterFields<Subnet> = {
  'subnet-id': ({ one }) => one.id,
  'vpc-id': ({ one, inventory }) => one.vpcId ?? inventory.vpcId,
  'cidr-block': ({ one }) => one.cidr,
  zone: ({ inventory }) => inventory.zone,
}

const describeSubnets = (_: State, request: Of<typeof subnets>, { inventory }: Context): Outcome => {
  const { SubnetIds: ids = [], Filters = [], Offset = 0, Limit = 20 } = request
  for (const id of ids)
    if (!inventory.subnets.some((one) => one.id === id))
      throw new CloudError('ResourceNotFound', `The subnet ${id} does not exist.`)
  const found = inventory.subnets
    .filter(({ id }) => ids.length === 0 || ids.includes(id))
    .filter((one) => passes(Filters, SUBNET_FIELDS, { one, inventory }))
  return answer({
    TotalCount: found.length,
    SubnetSet: found.slice(Offset, Offset + Limit).map((one) => ({
      VpcId: one.vpcId ?? inventory.vpcId,
      SubnetId: one.id,
      SubnetName: one.id,
      CidrBlock: one.cidr,
      Zone: inventory.zone,
      IsDefault: false,
      AvailableIpAddressCount: 250,
      TotalIpAddressCount: 253,
      TagSet: [],
    })),
  })
}

export const instanceActions: Readonly<Record<string, Action>> = { DescribeInstances: action(instances, describeInstances) }
export const subnetActions: Readonly<Record<string, Action>> = { DescribeSubnets: action(subnets, describeSubnets) }
