/** `HOST:PORT` or `[IPV6]:PORT`, as the configuration names what to listen on. */
export function hostAndPort(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(":");
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(listen.slice(at + 1)) };
}
