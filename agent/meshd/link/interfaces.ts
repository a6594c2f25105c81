/** The interfaces of links: keys for the handshake, bringing them up with their probe socket, changes, removal. */

import type { Logger } from "pino";
import { isIpv6 } from "../../model/address.ts";
import { EphemeshError } from "../../model/errors.ts";
import type { LinkSpec, MeshdConfig } from "../../model/meshd-messages.ts";
import { monotonicMillis } from "../../model/time.ts";
import type { TunnelConfig } from "../eni/configure.ts";
import { bringUpEni, moveEndpoint, shape } from "../eni/eni.ts";
import type { FoundTunnel } from "../eni/found.ts";
import { SendRedirects } from "../eni/sysctl.ts";
import { removeStaleSockets, removeTunnel, type WireguardKind } from "../eni/tunnel-device.ts";
import { setKeys } from "../eni/wireguard.ts";
import type { Batch } from "../kernel/batch.ts";
import { outerMark } from "../kernel/marks.ts";
import { forEachParallel } from "../parallel.ts";
import { LinkSocket } from "../probe/socket.ts";
import type { BuyerShare } from "../shaping/htb.ts";
import { KeyStore } from "../state/key-store.ts";
import type { MeshIndexes } from "../steering/mesh-indexes.ts";
import { checkEndpoint, type Underlay, underlayMtu } from "../steering/outer.ts";
import type { Link } from "./link.ts";

const MAX_PARALLEL = 8;
const OUTER_OVERHEAD = { ipv4: 60, ipv6: 80 } as const;

export interface InterfaceParts {
  readonly config: MeshdConfig;
  readonly wireguard: WireguardKind;
  readonly ip: Batch;
  readonly tc: Batch;
  readonly meshIndexes: MeshIndexes;
  readonly log: Logger;
}

export interface InterfaceEvents {
  readonly onPacket: (link: Link, packet: Buffer) => void;
  readonly onFailure: (link: Link, reason: string) => void;
}

export class Interfaces {
  readonly #parts: InterfaceParts;
  readonly #events: InterfaceEvents;
  readonly #keys = new KeyStore();
  readonly #redirects = new SendRedirects();

  constructor(parts: InterfaceParts, events: InterfaceEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** @throws EphemeshError UNDERLAY_UNKNOWN, UNDERLAY_MISSING, UNDERLAY_DOWN, LINK_OTHER_UNDERLAY, NO_PORT, TOO_MANY_LINKS */
  async prepare(link: LinkSpec["linkId"], attempt: number, underlayName: string) {
    const underlay = this.#underlay(underlayName);
    const mtu = innerMtu(underlay, await underlayMtu(underlay));
    const { keys, listenPort } = await this.#keys.prepare(link, attempt, underlay, monotonicMillis());
    return { publicKey: keys.publicKey, encapsulationKey: keys.encapsulationKey, listenPort, mtu };
  }

  /** @throws EphemeshError ENDPOINT_OVER_PRIMARY, LINK_NOT_PREPARED, LINK_ALREADY_COMPLETED, KEM_REFUSED */
  async complete(
    link: LinkSpec["linkId"],
    attempt: number,
    peerPublicKey: string,
    peerAddress: string,
    kem: Parameters<KeyStore["complete"]>[3],
  ) {
    const underlay = this.#keys.get(link, attempt)?.underlay;
    if (underlay !== undefined) await this.checkEndpoint(underlay, peerAddress);
    return this.#keys.complete(link, attempt, peerPublicKey, kem);
  }

  checkEndpoint(underlayName: string, address: string): Promise<void> {
    return checkEndpoint(this.#underlay(underlayName), address, this.#parts.config.primaryDevices);
  }

  /** Deletes the keys of links that are no longer wanted. */
  keepKeysOf(links: Iterable<Link>, gone: Iterable<Link>): void {
    const keyOf = (link: Link): string => `${link.spec.linkId}/${link.spec.attempt}`;
    const kept = new Set([...links].map(keyOf));
    this.#keys.keepOnly(
      (link, attempt) => kept.has(`${link}/${attempt}`),
      new Set([...gone].map(keyOf)),
      monotonicMillis(),
    );
  }

  /** `guarded` resolves when the nftables rules and outer routes are in place. */
  async bringUp(link: Link, found: FoundTunnel | undefined, guarded: Promise<void>): Promise<void> {
    const { wireguard, ip, tc, log } = this.#parts;
    const { spec, device } = link;
    link.markInterfaceDown();
    const outcome = await bringUpEni(
      {
        device,
        ownAddress: link.ownAddress,
        mtu: spec.mtu,
        shares: this.#shares(link, spec),
        config: this.#tunnelConfig(link),
      },
      found,
      { kind: wireguard, ip, tc, redirects: this.#redirects, guarded },
    );
    link.socket?.close();
    link.socket = await LinkSocket.open(
      device,
      { own: link.ownAddress, peer: link.peerAddress },
      {
        onPacket: (packet) => this.#events.onPacket(link, packet),
        onError: (error) => this.#events.onFailure(link, `the probe socket failed: ${error.message}`),
      },
    );
    link.applied = spec;
    link.markInterfaceUp(monotonicMillis());
    log.info({ device, link: spec.linkId, attempt: spec.attempt, peer: spec.peer }, `interface ${outcome}`);
  }

  /** Applies what may change while an interface is up: rates, MTU, endpoint. */
  async change(link: Link): Promise<void> {
    const { spec, device, applied } = link;
    if (applied === null || applied === spec) return;
    const { ip, tc } = this.#parts;
    if (JSON.stringify(applied.shares) !== JSON.stringify(spec.shares)) {
      await shape(tc, device, this.#shares(link, spec));
    }
    if (applied.mtu !== spec.mtu) await ip.run([`link set dev ${device} mtu ${spec.mtu}`]);
    const peer = this.#keys.get(spec.linkId, spec.attempt)?.keys.completed?.peerPublicKey;
    if (peer && JSON.stringify(applied.peerEndpoint) !== JSON.stringify(spec.peerEndpoint)) {
      await moveEndpoint(device, peer, spec.peerEndpoint);
    }
    link.applied = spec;
  }

  /** Starts a new WireGuard handshake; does nothing for an adopted link, whose keys are not known. */
  async restartHandshake(link: Link): Promise<void> {
    link.markHandshakeStarted(monotonicMillis());
    const config = this.#tunnelConfig(link);
    if (config) await setKeys(link.device, config, this.#parts.wireguard);
  }

  async remove(devices: readonly string[]): Promise<void> {
    await forEachParallel(devices, MAX_PARALLEL, async (device) => {
      await removeTunnel(device);
      this.#parts.log.info({ device }, "interface removed");
    });
  }

  /** Removes tunnels that no mesh wants, and control sockets of killed processes. */
  async removeOrphans(devices: readonly string[]): Promise<void> {
    if (devices.length === 0) return;
    await this.remove(devices);
    await removeStaleSockets();
  }

  /** Null: the link was adopted, and this process does not hold its keys. */
  #tunnelConfig({ spec }: Link): TunnelConfig | null {
    const prepared = this.#keys.get(spec.linkId, spec.attempt);
    const completed = prepared?.keys.completed;
    if (!prepared || !completed) return null;
    return {
      privateKey: prepared.keys.privateKey,
      listenPort: prepared.listenPort,
      mark: outerMark(this.#parts.config.underlays.findIndex((underlay) => underlay.name === spec.underlay)),
      peerPublicKey: completed.peerPublicKey,
      presharedKey: completed.presharedKey,
      endpoint: spec.peerEndpoint,
    };
  }

  #shares(link: Link, spec: LinkSpec): readonly BuyerShare[] {
    return spec.shares.map((share) => ({
      ...share,
      meshIndex: this.#parts.meshIndexes.assign(link.meshId, share.buyer),
    }));
  }

  #underlay(name: string): Underlay {
    const { underlays } = this.#parts.config;
    const underlay = underlays.find((each) => each.name === name);
    if (underlay) return underlay;
    throw new EphemeshError(
      "UNDERLAY_UNKNOWN",
      `The configuration names no underlay ${name}; nothing was changed.`,
      `Use one of: ${underlays.map((each) => each.name).join(", ")}.`,
    );
  }
}

function innerMtu(underlay: Underlay, deviceMtu: number): number {
  return Math.min(9_000, deviceMtu - (isIpv6(underlay.address) ? OUTER_OVERHEAD.ipv6 : OUTER_OVERHEAD.ipv4));
}
