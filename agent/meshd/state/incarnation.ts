/** A number on disk that grows with every start, so that new advertisements are newer than those of an earlier run. */
import { mkdir, open, readFile, rename } from "node:fs/promises";

const MAX = 0xffff_ff00;

export class IncarnationFile {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The next number, written to disk before it is returned. */
  async next(): Promise<number> {
    const text = await readFile(this.#file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "0";
      throw error;
    });
    const before = /^\d{1,10}\s*$/.test(text) ? Number(text) : 0;
    const incarnation = Math.min(before, MAX) + 1;
    await this.write(incarnation);
    return incarnation;
  }

  async write(incarnation: number): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const file = await open(`${this.#file}.new`, "w", 0o600);
    try {
      await file.writeFile(`${incarnation}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${this.#file}.new`, this.#file);
  }

  get #file(): string {
    return `${this.#directory}/incarnation`;
  }
}
