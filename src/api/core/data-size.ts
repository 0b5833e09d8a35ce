/** All values of a ConfigMap or Secret together. */
export const MAX_DATA_BYTES = 1024 * 1024

/** How many bytes a base64 text stands for. */
export const base64Bytes = (text: string): number => {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return Math.floor((text.length * 3) / 4) - padding
}
