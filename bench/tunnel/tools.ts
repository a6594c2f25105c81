/** Figures from iperf3 and ping. */
import { z } from "zod";
import type { Lab } from "../../lab/lab.ts";
import type { LabProcess } from "../../lab/process/lab-process.ts";

const report = z.object({
  end: z.object({
    sum_received: z.object({ bytes: z.number(), seconds: z.number(), bits_per_second: z.number() }).optional(),
    sum: z.object({ packets: z.number(), lost_packets: z.number(), seconds: z.number() }).optional(),
    cpu_utilization_percent: z.object({ host_total: z.number(), remote_total: z.number() }),
  }),
});

export interface Goodput {
  readonly mbps: number;
  readonly bytes: number;
  /** Sender and receiver together. */
  readonly endsCpuSeconds: number;
}

export async function serve(lab: Lab, place: string, port = 5201): Promise<LabProcess> {
  const server = lab.spawnIn(place, ["iperf3", "--server", "--forceflush", "--port", String(port)]);
  await server.line(/listening/i);
  return server;
}

/** TCP: what the receiver got, without the first second. */
export async function tcpGoodput(
  lab: Lab,
  place: string,
  address: string,
  options: { readonly seconds: number; readonly streams?: number },
): Promise<Goodput> {
  const { seconds, streams = 1 } = options;
  const args = ["--time", String(seconds), "--omit", "1", "--parallel", String(streams), "--json"];
  const text = await lab.exec(place, ["iperf3", "--client", address, ...args], {
    timeoutMillis: (seconds + 20) * 1_000,
  });
  const { end } = report.parse(JSON.parse(text));
  const received = end.sum_received!;
  const { host_total, remote_total } = end.cpu_utilization_percent;
  return {
    mbps: received.bits_per_second / 1e6,
    bytes: received.bytes,
    endsCpuSeconds: ((host_total + remote_total) / 100) * (seconds + 1),
  };
}

/** Packets of 64 bytes that arrive per second when the sender sends as many as it can. */
export async function packetsPerSecond(lab: Lab, place: string, address: string, seconds: number): Promise<number> {
  const args = ["--udp", "--length", "64", "--bandwidth", "0", "--time", String(seconds), "--json"];
  const text = await lab.exec(place, ["iperf3", "--client", address, ...args], {
    timeoutMillis: (seconds + 20) * 1_000,
  });
  const { packets, lost_packets, seconds: took } = report.parse(JSON.parse(text)).end.sum!;
  return (packets - lost_packets) / took;
}

/** Round trips in milliseconds, ascending; a lost packet is infinite. `tos` 0xb8 is EF. */
export async function roundTrips(
  lab: Lab,
  place: string,
  address: string,
  options: { readonly count: number; readonly intervalSeconds: number; readonly tos?: number },
): Promise<readonly number[]> {
  const { count, intervalSeconds, tos = 0 } = options;
  const args = ["-n", "-c", String(count), "-i", String(intervalSeconds), "-W", "2", "-Q", String(tos), address];
  // ping fails if answers are missing; here loss is a figure.
  const output = await lab.exec(place, ["sh", "-c", '"$@" || true', "sh", "ping", ...args], { timeoutMillis: 120_000 });
  const times = [...output.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
  const lost = Array.from({ length: count - times.length }, () => Number.POSITIVE_INFINITY);
  return [...times.toSorted((a, b) => a - b), ...lost];
}

export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
export const middle = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
