import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const server = process.env['COLUMBA'] ?? 'http://127.0.0.1:8080'

// Two pages: the admin UI, and the one a customer pairs on, which shares next to nothing with it. Both name their files under
// `/ui/`, where the server finds them.
export default defineConfig({
  base: '/ui/',
  plugins: [react()],
  build: {
    // Older ones know neither `light-dark()` nor the popover attribute.
    target: ['chrome123', 'firefox128', 'safari17.5'],
    manifest: true,
    modulePreload: { polyfill: false },
    // A strict policy lets no `data:` font or script through, and small files compress better by themselves.
    assetsInlineLimit: 0,
    rolldownOptions: { input: ['index.html', 'pair.html'] },
  },
  server: {
    proxy: Object.fromEntries(['/v1', '/readyz', '/livez', '/errors'].map((path) => [path, { target: server, ws: true }])),
  },
})
