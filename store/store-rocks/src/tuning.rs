//! Sizes of the two databases, so that both fit a process of 60 MiB that does little.
//!
//! Way in: [`log_options`], [`state_options`].

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, LogLevel, Options};

const MIB: usize = 1024 * 1024;

/// Bytes of the log that are collected in memory before they become a file. The log's own files are
/// also recycled at this size. What is forgotten before that is never written a second time, so it
/// must be a few times what is kept between two flushes of the state.
const LOG_BUFFER: usize = 24 * MIB;

/// The same of the state, which says itself when it wants to be durable: more than it collects
/// between two of these times.
const STATE_BUFFER: usize = 24 * MIB;

/// Files of newly written state that are there before they are merged into the older ones: each
/// merge may rewrite all of those. Nothing that an entry is applied with is read from them.
const STATE_FILES: i32 = 12;

/// The same, from where on writers are slowed down, and stopped.
const STATE_FILES_SLOW: (i32, i32) = (24, 40);

/// Bytes of rows that are compressed together: objects of one kind are alike.
const STATE_BLOCK: usize = 16 * 1024;

/// The log is read at a start and by followers that are behind: hardly ever twice.
const LOG_CACHE: usize = MIB;

/// What the catalog does not hold is read from here.
const STATE_CACHE: usize = 8 * MIB;

/// Files whose room is used again, so that a sync does not also write a new file size (4 to 6 times
/// the p99).
const RECYCLED_FILES: usize = 2;

/// The log: synced, recycled.
pub(crate) fn log_options() -> Options {
    let mut options = shared_options(LOG_CACHE, None);
    options.set_write_buffer_size(LOG_BUFFER);
    options.set_recycle_log_file_num(RECYCLED_FILES);
    // Entries live in the state as well; here they are written once and soon deleted.
    options.set_compression_type(DBCompressionType::None);
    options
}

/// The state: no log of its own.
pub(crate) fn state_options() -> Options {
    let mut options = shared_options(STATE_CACHE, Some(STATE_BLOCK));
    options.set_write_buffer_size(STATE_BUFFER);
    options.set_level_zero_file_num_compaction_trigger(STATE_FILES);
    options.set_level_zero_slowdown_writes_trigger(STATE_FILES_SLOW.0);
    options.set_level_zero_stop_writes_trigger(STATE_FILES_SLOW.1);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}

fn shared_options(cache: usize, block: Option<usize>) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(cache));
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_bloom_filter(10.0, false);
    if let Some(block) = block {
        blocks.set_block_size(block);
    }
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_max_write_buffer_number(2);
    options.set_max_background_jobs(2);
    options.set_max_open_files(256);
    options.set_max_file_opening_threads(1);
    // RocksDB's own diary: short, and without the periodic statistics that wake an idle process.
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(MIB);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}
