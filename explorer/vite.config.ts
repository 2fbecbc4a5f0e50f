import { defineConfig } from 'vite';

// Addresses stay relative to the page, so that the gateway can sit behind a path prefix. Nothing is inlined as a
// data: URL: the page's Content-Security-Policy stays short, and every file is cached under its own hashed name.
export default defineConfig({
  base: './',
  build: {
    assetsDir: 'explorer',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 8000,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      // React's "use client" marks mean nothing to a page that is all client; the rest is worth reading.
      onLog: (level, log, show) => (log.code === 'MODULE_LEVEL_DIRECTIVE' ? undefined : show(level, log)),
    },
    target: 'es2022',
  },
  worker: { format: 'es' },
  server: {
    fs: { allow: ['..'] },
    proxy: { '/graphql': { target: 'http://127.0.0.1:4000', ws: true } },
  },
});
