// SPDX-License-Identifier: Apache-2.0
// Builds the page into the Python package. `sources.sha256` lets the tests notice a page that was not built anew.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const page = "../humanoid_teleop/webxr/page";

function sourcesHash(): Plugin {
  return {
    name: "sources-hash",
    generateBundle() {
      const files = ["index.html", "package-lock.json", ...readdirSync("src").sort().map((name) => `src/${name}`)];
      const hash = createHash("sha256");
      for (const file of files) hash.update(`${file}\n`).update(readFileSync(file));
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${hash.digest("hex")}\n` });
    },
  };
}

export default defineConfig({
  base: "./",
  build: {
    outDir: page,
    emptyOutDir: true,
    chunkSizeWarningLimit: 1000,
    license: { fileName: "licences.md" },
    rollupOptions: { output: { entryFileNames: "page.js", assetFileNames: "[name][extname]" } },
  },
  plugins: [sourcesHash()],
});
