import { defineConfig } from 'vite';

export default defineConfig({
  // Some packages of Perses ask for Node's `global`.
  define: { global: 'globalThis' },
  logLevel: 'error',
});
