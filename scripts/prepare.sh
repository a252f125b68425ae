# Sourced by scripts/test and scripts/clients, which define `say`: what they need beside Rust, made where it is missing.
test_env="${HOOKWHEEL_TEST_ENV:-$PWD/target/test-env}"

# What cannot be had is said; with CI=true it is an error.
skip() {
  say "SKIPPED: $*"
  if [ "${CI:-}" = true ]; then exit 1; fi
}

# Makes $test_env/NAME by a function unless it was made from this very manifest: prepare NAME MANIFEST FUNCTION.
prepare() {
  local name=$1 manifest=$2 make=$3
  local dir="$test_env/$name"
  if cmp -s "$manifest" "$dir/made-from"; then return; fi
  say "preparing $dir"
  rm -rf "$dir"
  mkdir -p "$dir"
  if "$make" "$dir" "$manifest" >&2; then cp "$manifest" "$dir/made-from"; else skip "what $manifest lists"; fi
}

python_env() { python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"; }

node_env() {
  cp "$2" "$1/package.json"
  (cd "$1" && npm install --silent --no-package-lock --ignore-scripts --no-audit --no-fund)
}

# A Debian package, unpacked and not installed: whatever it would start stays where it is. unpacked DIRECTORY MANIFEST, which names
# it.
unpacked() {
  local package
  package=$(grep -v '^#' "$2")
  (cd "$1" && { apt-get -qq download "$package" || { update_apt && apt-get -qq download "$package"; }; } &&
    dpkg -x ./*.deb . && rm ./*.deb)
}

# What makes and tests the clients.
prepare_clients() {
  prepare clients-python clients/python/tools.txt python_env
  prepare clients-node clients/typescript/package.json node_env
}
