# Sourced by the scripts: names each step and its reason, shows that long ones move, and says how long they took.

say() { printf '%s\n' "$*" >&2; }

# fail CAUSE NEXT: one sentence of cause, one next command, and a non-zero exit.
fail() {
    say "error: $1"
    say "  try: $2"
    exit 1
}

# room FOLDER: fails unless its disk has room for nodes that take pods: a tenth of it, 10 GiB at most, and a little more.
room() {
    local used free least
    read -r used free < <(df --output=used,avail --block-size=M "$1" | tail -n 1 | tr -d M)
    least=$(((used + free) / 10))
    if [ "$least" -gt 10240 ]; then least=10240; fi
    if [ "$free" -lt $((least + 1024)) ]; then
        fail "the disk of $1 has $free MiB free: under $least MiB nodes report disk pressure and take no pods" \
            "rm -rf $CARGO_TARGET_DIR   (what was built; or free something else)"
    fi
}

# step NAME REASON COMMAND...: runs the command; its output goes to a log that is shown only if it fails.
step() {
    local name=$1 reason=$2 started log status
    shift 2
    started=$(date +%s)
    mkdir -p "$STARLING_CACHE/logs"
    log="$STARLING_CACHE/logs/$(printf '%s' "$name" | tr -c 'a-zA-Z0-9' '-').log"
    say "==> $name ($reason)"
    "$@" >"$log" 2>&1 &
    follow $! "$log"
    status=0
    wait $! || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" >&2
        fail "$name failed with exit code $status" "less $log"
    fi
    say "    done in $(($(date +%s) - started)) s"
}

# follow PID LOG: every ten seconds, the newest line of the log, while the process lives.
follow() {
    local ticks=0
    while kill -0 "$1" 2>/dev/null; do
        sleep 0.2
        ticks=$((ticks + 1))
        if [ $((ticks % 50)) -eq 0 ]; then
            say "    $((ticks / 5)) s: $(tail -n 1 "$2" | cut -c1-100)"
        fi
    done
}

# timed NAME COMMAND...: runs it in the open and says how long it took.
timed() {
    local name=$1 started
    shift
    started=$(date +%s%N)
    say "==> $name"
    "$@"
    say "    done in $((($(date +%s%N) - started) / 1000000)) ms"
}
