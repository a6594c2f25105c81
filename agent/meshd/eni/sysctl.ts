/** Kernel settings that an ENI (ephemeral network interface) needs, and the global one that kernel WireGuard changes. */
import { readFile, writeFile } from "node:fs/promises";
import { SerialQueue } from "../../model/serial-queue.ts";

const SEND_REDIRECTS = "/proc/sys/net/ipv4/conf/all/send_redirects";

/**
 * Preserves `net.ipv4.conf.all.send_redirects`, which kernel WireGuard clears on each *up*. One interface at a time, so
 * that a cleared value is not taken for the operator's setting.
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
 * Loose, because the return path over a mesh may differ, and by the packet's mark, because `main` may have no route back
 * while the peering is down. Only for this device.
 */
export async function loosenReversePath(device: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv4/conf/${device}/rp_filter`, "2");
  await writeFile(`/proc/sys/net/ipv4/conf/${device}/src_valid_mark`, "1");
}
