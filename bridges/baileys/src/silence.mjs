// The library's libsignal tells the console about its sessions, keys included. Nobody else writes there, so nobody is heard.
// Loaded before everything else.
for (const name of Object.keys(console)) {
  if (typeof console[name] === 'function') console[name] = () => {};
}
