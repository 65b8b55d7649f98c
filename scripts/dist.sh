#!/usr/bin/env bash
# What is handed out: the binaries, manual pages, completions, packaging, docs and licence in one archive, with its checksum.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --bins
bin=target/release
version=$("$bin/columba" --version | cut -d' ' -f2)
name=columba-$version-$(rustc -vV | sed -n 's/^host: //p')
out=target/dist/$name
rm -rf "$out"
mkdir -p "$out"/{bin,share/man/man1,share/bash-completion/completions,share/zsh/site-functions,share/fish/vendor_completions.d}

install -m 755 "$bin/columba" "$bin/columba-check" "$out/bin"
"$bin/columba" man --out "$out/share/man/man1"
"$bin/columba" completions bash >"$out/share/bash-completion/completions/columba"
"$bin/columba" completions zsh >"$out/share/zsh/site-functions/_columba"
"$bin/columba" completions fish >"$out/share/fish/vendor_completions.d/columba.fish"
"$bin/columba" default-config >"$out/columba.toml.example"
cp -r packaging docs README.md "$out"
if [ -f LICENSE ]; then cp LICENSE "$out"; fi

# The same tree makes the same archive.
when=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" -C target/dist -cf - "$name" | gzip -n >"$out.tar.gz"
(cd target/dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "made $out.tar.gz ($(du -h "$out.tar.gz" | cut -f1)); its checksum lies beside it"
