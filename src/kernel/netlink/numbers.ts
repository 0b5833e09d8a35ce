/** Flags of `nlmsghdr`, linux/netlink.h. The last ones mean different things in requests to get, to make and to delete, and in answers. */
export const FLAG = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  echo: 0x8,
  dumpInterrupted: 0x10,
  root: 0x100,
  match: 0x200,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
  /** In an acknowledgement: the request is not repeated in it. */
  capped: 0x100,
  /** In an acknowledgement: attributes follow, such as the text of the error. */
  ackAttributes: 0x200,
} as const

/** Message types that every netlink protocol has. */
export const MESSAGE_TYPE = { noop: 1, error: 2, done: 3, overrun: 4 } as const
