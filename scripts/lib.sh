# Shared by the scripts of this folder; sourced, never run. Callers set `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tailrace

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# need PROGRAM=PACKAGE ... : installs the Debian packages of the programs that are missing (a name alone serves for both).
need() {
  local pair missing=()
  for pair in "$@"; do have "${pair%%=*}" || missing+=("${pair#*=}"); done
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# install_packages PACKAGE ... : by apt-get, as root or through sudo, after saying so.
install_packages() {
  have apt-get || die "missing: $* (no apt-get here: install them by hand and start again)"
  local as_root=()
  [ "$(id -u)" = 0 ] || { have sudo || die "missing: $* (neither root nor sudo: apt-get install $*)"; as_root=(sudo); }
  say "installing with apt-get: $*"
  local log; log=$(mktemp)
  "${as_root[@]}" apt-get update -qq >"$log" 2>&1 || say "warning: apt-get update failed, going on with the lists that are there"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1 ||
    { tail -20 "$log" >&2; die "could not install $*"; }
  rm -f "$log"
}

# need_build_tools : what the crates with C code (librdkafka, zstd, ring) need to compile. OpenSSL's headers have no program to ask for.
need_build_tools() {
  need cc=build-essential c++=build-essential cmake pkg-config
  pkg-config --exists openssl || install_packages libssl-dev
  have cargo || die "cargo is missing: install a Rust toolchain from https://rustup.rs"
}

# servers_at_full_speed : heaps and compiler of the servers that scripts/services starts, for measuring.
servers_at_full_speed() {
  export TAILRACE_KAFKA_HEAP=${TAILRACE_KAFKA_HEAP:-1g} TAILRACE_ELASTICSEARCH_HEAP=${TAILRACE_ELASTICSEARCH_HEAP:-2g}
  export TAILRACE_ELASTICSEARCH_OPTIONS=${TAILRACE_ELASTICSEARCH_OPTIONS-}
}

# java_version JAVA_HOME : the feature release (17, 21, ...), or nothing.
java_version() {
  [ -x "$1/bin/java" ] || return 0
  local version
  version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null)
  [ -n "$version" ] || version=$("$1/bin/java" -version 2>&1 | sed -n '1s/.*"\([0-9]*\).*/\1/p')
  printf '%s' "$version"
}

# find_java LEAST : the home of the newest Java of at least that release, or nothing. A home with a compiler wins over one without.
find_java() {
  local home version rank best=0 found=
  for home in ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/* /opt/java/* "$(have java && dirname "$(dirname "$(readlink -f "$(command -v java)")")")"; do
    version=$(java_version "$home")
    [ "${version:-0}" -ge "$1" ] || continue
    rank=$version; [ ! -x "$home/bin/javac" ] || rank=$((version + 1000))
    [ "$rank" -gt "$best" ] && best=$rank found=$home
  done
  printf '%s' "$found"
}

# take_port NAME : into the variable NAME a TCP port of the loopback that nobody listens on, below the range the kernel
# hands out for connections; never the same one twice in a run.
take_port() {
  local _port _try
  for _try in $(seq 200); do
    _port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    case " ${taken_ports:-} " in *" $_port "*) continue ;; esac
    (exec 3<>"/dev/tcp/127.0.0.1/$_port") 2>/dev/null && continue
    taken_ports="${taken_ports:-} $_port"
    printf -v "$1" '%s' "$_port"
    return 0
  done
  die "found no free port in 200 tries"
}

# cached NAME COMMAND... : runs COMMAND with a new folder as its last argument and keeps that folder as $cache/NAME;
# does nothing when it is there. Safe against a second caller and against being cut off in the middle.
cached() {
  local name=$1; shift
  [ -d "$cache/$name" ] && return 0
  mkdir -p "$cache"
  (
    flock 9
    [ -d "$cache/$name" ] && exit 0
    rm -rf "$cache/$name.part"; mkdir -p "$(dirname "$cache/$name")" "$cache/$name.part"
    "$@" "$cache/$name.part" || { rm -rf "$cache/$name.part"; exit 1; }
    mv "$cache/$name.part" "$cache/$name"
  ) 9>"$cache/.lock"
}

# maven ARGS... : Maven with only its errors shown.
maven() {
  need mvn=maven
  local log; log=$(mktemp)
  mvn -B -q "$@" >"$log" 2>&1 || { tail -20 "$log" >&2; rm -f "$log"; return 1; }
  rm -f "$log"
}

# check_sums SUMS FOLDER : every file of FOLDER is listed in SUMS with this SHA-256, and none is missing.
check_sums() {
  local sums; sums=$(readlink -f "$1")
  (cd "$2" && sha256sum -c --quiet --strict "$sums" >&2) || die "$2: not the files that $1 lists"
  [ "$(ls "$2" | wc -l)" = "$(wc -l <"$sums")" ] || die "$2: other files than $1 lists"
}
