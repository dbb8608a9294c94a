// SPDX-License-Identifier: Apache-2.0
// Builds the page into the Python package.
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";
import { sourcesHash } from "../../humanoid_core/web/sources_hash.mts";

/** The licence of the typeface, which is no code and so not in licences.md. */
function typeface(): Plugin {
  return {
    name: "typeface",
    generateBundle() {
      const source = readFileSync("node_modules/@fontsource-variable/inter/LICENSE", "utf8");
      this.emitFile({ type: "asset", fileName: "inter_licence.txt", source });
    },
  };
}

export default defineConfig({
  base: "./",
  build: {
    outDir: "../humanoid_console/page",
    emptyOutDir: true,
    license: { fileName: "licences.md" },
    rollupOptions: { output: { entryFileNames: "page.js", assetFileNames: "[name][extname]" } },
  },
  plugins: [sourcesHash(), typeface()],
});
