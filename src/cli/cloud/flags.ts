import type { Command } from 'commander'

const FLAGS: readonly (readonly [flags: string, help: string])[] = [
  ['--listen <address:port>', 'where the API and the page are served; port 0 picks a free one (default: 127.0.0.1:8317)'],
  ['--data-dir <dir>', 'where its state is kept (required)'],
  ['--region <region>', 'the region that it is (default: ap-guangzhou)'],
  ['--secret-id <id>', 'who may call; with --secret-key'],
  ['--secret-key <key>', 'seen by whoever lists processes: better use --credentials-file or the environment'],
  [
    '--credentials-file <file>',
    'JSON with secretId and secretKey; else $TENCENTCLOUD_SECRET_ID and $TENCENTCLOUD_SECRET_KEY, else made in DIR/credentials.json',
  ],
  [
    '--vip-cidr <cidr>',
    'addresses of load balancers; root may take any, which become addresses of this machine (default: 127.210.0.0/16)',
  ],
  ['--port-offset <number>', 'added to ports below 1024 where this user may not bind them; 0 for never (default: 20000)'],
  ['--instance <id=address...>', 'a CVM instance, such as ins-a=127.0.0.1; with its private address: ins-a=127.0.0.1,10.0.0.5'],
  ['--subnet <id=cidr...>', 'a subnet of the VPC; without any, every subnet is taken as there'],
  ['--inventory <file>', 'YAML or JSON with vpcId, zone, instances and subnets'],
  ['--certificate <id=chain,key...>', 'a server certificate: files in PEM; without key the authority of clients'],
  ['--domain-type', 'public load balancers get a name instead of an address'],
  ['--task-ms <ms>', 'how long a task takes (default: 100)'],
  ['--calls-per-second <count>', 'of one action; 0 for no limit (default: 20)'],
  ['--quota <name=count...>', 'such as TOTAL_OPEN_CLB_QUOTA=1000'],
  ['--second-ms <ms>', 'how long a second of health checks and sessions takes (default: 1000)'],
  ['--no-forwarding', 'only the API: nothing listens, every target is well'],
  ['--log-level <level>', 'debug, info, warn or error (default: warn)'],
]

/** Adds the flags of `fairway cloud` to a command. */
export const withCloudFlags = (command: Command): Command => {
  for (const [flags, help] of FLAGS) command.option(flags, help)
  return command
}
