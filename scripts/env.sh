# Sourced by every step of the Makefile, and by hand: `. scripts/env.sh`.
# One build folder for `make up`, `make test` and CI, outside the checkout, and a librocksdb.a that is built once
# a machine and linked by every profile (RocksDB is twenty CPU-minutes of C++).
STARLING_CACHE="${STARLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/starling}"
export STARLING_CACHE
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$STARLING_CACHE/target}"
export PATH="$HOME/.cargo/bin:$PATH"
rocksdb_version="$(awk -F'"' '/^name = "librocksdb-sys"/ { getline; print $2 }' Cargo.lock)"
rocksdb_dir="$STARLING_CACHE/rocksdb/$rocksdb_version"
if [ -f "$rocksdb_dir/librocksdb.a" ]; then
    export ROCKSDB_LIB_DIR="$rocksdb_dir" ROCKSDB_STATIC=1
fi
# Cargo judges by times of change whether something must be built, and two checkouts share the build folder: whoever
# did not build last touches its sources, or it would run what the other one built. What cannot be used again then is
# removed, or each checkout would leave gigabytes: compilers' notes, and programs that will be linked anew.
if [ "$(cat "$CARGO_TARGET_DIR/.checkout" 2>/dev/null)" != "$PWD" ]; then
    mkdir -p "$CARGO_TARGET_DIR"
    find actors mesh store nodes chaos tests -type f -exec touch {} + 2>/dev/null
    rm -rf "$CARGO_TARGET_DIR"/*/incremental
    find "$CARGO_TARGET_DIR"/*/deps -type f -executable ! -name '*.so' -size +5M -delete 2>/dev/null || true
    printf '%s' "$PWD" >"$CARGO_TARGET_DIR/.checkout"
fi
