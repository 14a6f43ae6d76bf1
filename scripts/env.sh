# Sourced by the Makefile's steps, and by hand: `. scripts/env.sh`. One build folder for `make up`, `make test` and CI,
# outside the checkout, and a librocksdb.a that was built once for all profiles.
STARLING_CACHE="${STARLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/starling}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$STARLING_CACHE/target}"
if [ -f "$STARLING_CACHE/rocksdb/librocksdb.a" ]; then
    export ROCKSDB_LIB_DIR="$STARLING_CACHE/rocksdb" ROCKSDB_STATIC=1
fi
