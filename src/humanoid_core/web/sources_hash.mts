// SPDX-License-Identifier: Apache-2.0
// A Vite plugin: `sources.sha256` beside a built page lets the tests notice one that was not built anew.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";

const SHARED = "../../humanoid_core/web/connection.ts";

export function sourcesHash(): Plugin {
  return {
    name: "sources-hash",
    generateBundle() {
      const sources = readdirSync("src").sort().map((name) => `src/${name}`);
      const hash = createHash("sha256");
      for (const file of ["index.html", "package-lock.json", SHARED, ...sources]) {
        hash.update(`${file}\n`).update(readFileSync(file));
      }
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${hash.digest("hex")}\n` });
    },
  };
}
