//! A crash leaves what was synced and a beginning of the rest, whatever was written in which order.

use actors_core::ports::{KeyRange, LogRecord, LogStore, Pair, StateStore, Write};

use super::*;

type Log = (Option<Vec<u8>>, Vec<LogRecord>);

fn log_of(disk: &SimDisk) -> Log {
    let log = disk.log("l");
    (log.head().expect("a head"), log.read_from(0, usize::MAX).expect("records"))
}

fn state_of(disk: &SimDisk) -> Vec<Pair> {
    let range = KeyRange { start: b"", end: None, limit: usize::MAX, reverse: false };
    disk.state("s").range(range).expect("pairs")
}

/// Writes something to the log: appends, also over what is there, a head, or an end of the oldest.
fn write_log(disk: &SimDisk, number: u64, rng: &mut Rng) {
    let mut log = disk.log("l");
    let last = log_of(disk).1.last().map_or(0, |record| record.index);
    let data = number.to_le_bytes().to_vec();
    let done = match rng.below(4) {
        0 => log.set_head(&data),
        1 => log.truncate_below(rng.below(last + 2)),
        _ => {
            let first = rng.between(last.saturating_sub(3), last + 1).max(1);
            let record = |index| LogRecord { index, data: data.clone() };
            log.append(&(first..first + rng.below(4)).map(record).collect::<Vec<_>>())
        }
    };
    done.expect("room");
}

/// Writes a batch in which a key may stand twice.
fn write_state(disk: &SimDisk, number: u64, rng: &mut Rng) {
    let write = |rng: &mut Rng| -> Write {
        let value = rng.chance(600_000).then(|| number.to_le_bytes().to_vec());
        (vec![b'a' + u8::try_from(rng.below(4)).unwrap_or(0)], value)
    };
    let batch = (0..rng.below(4)).map(|_| write(rng)).collect();
    disk.state("s").batch(batch).expect("room");
}

#[test]
fn a_crash_leaves_a_beginning_of_what_was_written() {
    let mut tally = DiskTally::default();
    for seed in 0..300 {
        let mut rng = Rng::from_number(seed);
        let disk = SimDisk::new(rng.derive("disk"));
        let (mut logs, mut states) = (vec![log_of(&disk)], vec![state_of(&disk)]);
        for number in 0..rng.below(12) {
            write_log(&disk, number, &mut rng);
            write_state(&disk, number, &mut rng);
            logs.push(log_of(&disk));
            states.push(state_of(&disk));
            if rng.chance(200_000) {
                disk.sync_to(&disk.mark()).expect("a good disk");
                logs.drain(..logs.len() - 1);
                states.drain(..states.len() - 1);
            }
        }
        disk.crash();
        let (log, state) = (log_of(&disk), state_of(&disk));
        assert!(states.contains(&state), "seed {seed}: {state:?} is none of {states:?}");
        // Of an append that was torn, the first records are there.
        let begins = |whole: &Log| whole.0 == log.0 && whole.1.starts_with(&log.1);
        assert!(logs.iter().any(begins), "seed {seed}: {log:?} is none of {logs:?}");
        tally.add(disk.tally());
        disk.crash();
        assert_eq!((log_of(&disk), state_of(&disk)), (log, state), "seed {seed}: it lasts");
    }
    assert!(tally.lost > 100 && tally.torn > 10, "{tally:?}");
}

#[test]
fn a_disk_counts_what_it_did() {
    let disk = SimDisk::new(Rng::from_number(1));
    let bad = DiskFaults {
        stall_ppm: 1_000_000,
        sync_error_ppm: 1_000_000,
        is_full: true,
        ..DiskFaults::default()
    };
    disk.set_faults(bad);
    let _delay = disk.sync_delay();
    assert!(disk.sync_to(&disk.mark()).is_err());
    assert!(disk.log("l").set_head(b"x").is_err());
    let expected = DiskTally { lost: 0, torn: 0, stalled: 1, failed: 1, refused: 1 };
    assert_eq!(disk.tally(), expected);
    assert!(disk.tally().rows().iter().skip(2).all(|(_, count)| *count == 1));
}
