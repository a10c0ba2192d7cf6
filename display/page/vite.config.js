import { defineConfig } from "vite";

// The server's content security policy allows nothing inline: no data: images, no injected scripts.
export default defineConfig({
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
