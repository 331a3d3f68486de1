# The life of one server process ("node"): a folder $run/NAME with its configuration, data, log and pid files.
# A kind of node supplies KIND_start NAME and KIND_ready NAME; the kind is the name without its number.

# launch NAME COMMAND... : in the background, in its own session; the command line must name the node's folder (node_mark).
launch() {
  local dir=$run/$1; shift
  [ ! -f "$dir/log" ] || mv "$dir/log" "$dir/log.before"
  setsid nohup "$@" >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid.launcher"
}

# node_mark NAME : a system property that names the node's folder in its command line: by it we know our own processes.
node_mark() { printf -- '-Dtailrace.node=%s' "$run/$1"; }

# owned_pids NAME : the living processes of the node.
owned_pids() {
  local file pid
  for file in "$run/$1"/pid "$run/$1"/pid.launcher; do
    pid=$(cat "$file" 2>/dev/null) || continue
    if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$run/$1"; then printf '%s\n' "$pid"; fi
  done | sort -u
}

node_kind() { printf '%s' "${1%%[0-9]*}" | tr - _; }
node_names() { local dir; for dir in "$run"/*/; do [ ! -f "$dir/kind" ] || basename "$dir"; done; }
check_node() { [ -f "$run/$1/kind" ] || die "no node \"$1\" (there are: $(node_names | xargs))"; }

# make_node NAME : its folder.
make_node() { mkdir -p "$run/$1"; node_kind "$1" >"$run/$1/kind"; }

start_node() { "$(node_kind "$1")_start" "$1"; }

# await_node NAME SECONDS : until it is ready; fails with the end of its log when it died or took too long.
await_node() {
  local i
  for i in $(seq $(($2 * 5))); do
    if "$(node_kind "$1")_ready" "$1"; then return 0; fi
    [ -n "$(owned_pids "$1")" ] || [ "$i" -lt 10 ] || { tail -30 "$run/$1/log" >&2; die "$1 died at its start"; }
    sleep 0.2
  done
  tail -30 "$run/$1/log" >&2
  die "$1 was not ready after $2 s"
}

# stop_nodes NAME ... : asks all of them to end, waits up to 8 s, then kills.
stop_nodes() {
  local name pid i left
  for name in "$@"; do for pid in $(owned_pids "$name"); do kill "$pid" 2>/dev/null || true; done; done
  for i in $(seq 40); do
    left=
    for name in "$@"; do left+=$(owned_pids "$name"); done
    [ -n "$left" ] || return 0
    sleep 0.2
  done
  for name in "$@"; do for pid in $(owned_pids "$name"); do kill -9 "$pid" 2>/dev/null || true; done; done
}

# kill_node NAME : SIGKILL, as a crash.
kill_node() {
  local pid
  [ -n "$(owned_pids "$1")" ] || die "$1 is not running"
  for pid in $(owned_pids "$1"); do kill -9 "$pid" 2>/dev/null || true; done
}

# set_fact NAME KEY VALUE, fact NAME KEY : what we must remember about a node, such as its port.
set_fact() { printf '%s\n' "$3" >"$run/$1/fact.$2"; }
fact() { cat "$run/$1/fact.$2"; }

# addresses KIND FACT : the values of all nodes of a kind, with commas between.
addresses() {
  local name
  for name in $(node_names); do [ "$(node_kind "$name")" != "$1" ] || fact "$name" "$2"; done | paste -sd,
}
