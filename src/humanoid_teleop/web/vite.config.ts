// SPDX-License-Identifier: Apache-2.0
// Builds the page into the Python package.
import { defineConfig } from "vite";
import { sourcesHash } from "../../humanoid_core/web/sources_hash.mts";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../humanoid_teleop/webxr/page",
    emptyOutDir: true,
    chunkSizeWarningLimit: 1000,
    license: { fileName: "licences.md" },
    rollupOptions: { output: { entryFileNames: "page.js", assetFileNames: "[name][extname]" } },
  },
  plugins: [sourcesHash()],
});
