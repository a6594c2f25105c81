/** Kernel settings that an ENI needs, by device; and the one of others' that kernel WireGuard spoils. */
import { readFile, writeFile } from "node:fs/promises";
import { SerialQueue } from "../../model/serial-queue.ts";

const SEND_REDIRECTS = "/proc/sys/net/ipv4/conf/all/send_redirects";

/**
 * Runs what brings an interface up. Kernel WireGuard clears `net.ipv4.conf.all.send_redirects` on each *up* and never
 * restores it. One interface at a time: the second must not take the first one's damage for the operator's wish.
 */
export class SendRedirects {
  readonly #queue = new SerialQueue();

  preserve(bringUp: () => Promise<void>): Promise<void> {
    return this.#queue.run(async () => {
      const before = await readFile(SEND_REDIRECTS, "utf8");
      try {
        await bringUp();
      } finally {
        if ((await readFile(SEND_REDIRECTS, "utf8")) !== before) await writeFile(SEND_REDIRECTS, before);
      }
    });
  }
}

/**
 * Loose, because the way back over a mesh may differ, and by the packet's mark, because `main` may know no way back at
 * all when the peering is down. Ours only; the operator's setting elsewhere stays.
 */
export async function loosenReversePath(device: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv4/conf/${device}/rp_filter`, "2");
  await writeFile(`/proc/sys/net/ipv4/conf/${device}/src_valid_mark`, "1");
}
