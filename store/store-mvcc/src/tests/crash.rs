//! A crash between any two batches, and any split into batches, leaves a state from which the log
//! leads on.

use actors_core::Rng;
use actors_sim::SimDisk;

use super::*;
use crate::{Epoch, ShardId, StateHash};

/// A log that uses every operation.
fn log() -> Vec<Proposal> {
    let mut log = Vec::new();
    for round in 0..12_u64 {
        let token = |half: u8| {
            Token([half, u8::try_from(round % 4).unwrap_or(0) + 1].repeat(8).try_into().unwrap())
        };
        let lease = LeaseId(round);
        let key = format!("key-{}", round % 3);
        log.push(Proposal {
            token: token(1),
            ..proposal(vec![put(&key, &round.to_string(), Expect::Any)])
        });
        log.push(proposal(vec![
            Op::LeaseGrant { id: lease, ttl_ms: 1 },
            put_leased("tied", round),
        ]));
        let ops = vec![delete(&key, Expect::Present), put("never", "x", Expect::Present)];
        log.push(Proposal {
            atomic: round % 2 == 0,
            at: Wall(round.cast_signed()),
            ..proposal(ops)
        });
        log.push(proposal(vec![Op::GrantShard {
            shard: ShardId(1),
            epoch: Epoch(round),
            holder: key.clone(),
        }]));
        log.push(proposal(vec![
            Op::Compact { below: Revision(round) },
            Op::LeaseRevoke { id: lease },
        ]));
    }
    log
}

/// Applies the rest of the log, committing after each `batch` entries and sweeping now and then.
fn run(store: &Arc<MemoryState>, log: &[Proposal], batch: usize) -> StateHash {
    let mut state = Mvcc::open(store.clone(), GroupId::MAIN).unwrap();
    let applied = usize::try_from(state.position().index).unwrap();
    for (at, entry) in log.iter().enumerate().skip(applied) {
        state.apply(at as u64 + 1, 1, entry).unwrap();
        if at % batch == 0 {
            state.commit().unwrap();
            state.sweep(1).unwrap();
        }
    }
    state.commit().unwrap();
    while !state.sweep(4).unwrap().done {}
    assert_eq!(state.reader().position().unwrap(), *state.position());
    state.position().hash
}

#[test]
fn after_a_crash_anywhere_the_log_leads_to_the_same_state() {
    let log = log();
    let whole = Arc::new(MemoryState::default());
    let hash = run(&whole, &log, 1);
    for batches in 0..=whole.batches() {
        let left = Arc::new(whole.after_crash(batches));
        assert_eq!(run(&left, &log, 1 + batches % 3), hash, "a crash after {batches} batches");
        assert_eq!(left.contents(), whole.contents(), "a crash after {batches} batches");
    }
}

#[test]
fn on_a_disk_that_loses_what_was_not_flushed_the_log_leads_to_the_same_state() {
    let log = log();
    let hash = run(&Arc::new(MemoryState::default()), &log, 1);
    for seed in 0..50 {
        let mut rng = Rng::from_number(seed);
        let disk = SimDisk::new(rng.derive("disk"));
        let mut flushed = 0;
        let reached = loop {
            let mut state = Mvcc::open(Arc::new(disk.state("state")), GroupId::MAIN).unwrap();
            let applied = usize::try_from(state.position().index).unwrap();
            assert!(
                applied >= flushed,
                "seed {seed}: entry {flushed} was flushed, {applied} is left"
            );
            let until = applied + usize::try_from(rng.between(0, 25)).unwrap();
            for (at, entry) in log.iter().enumerate().take(until).skip(applied) {
                state.apply(at as u64 + 1, 1, entry).unwrap();
                match rng.below(4) {
                    0 => state.commit().unwrap(),
                    1 => flushed = usize::try_from(state.flush().unwrap()).unwrap(),
                    2 => assert!(state.sweep(2).is_ok()),
                    _ => {}
                }
            }
            if until >= log.len() {
                break state.position().hash;
            }
            disk.crash();
        };
        assert_eq!(reached, hash, "seed {seed}");
    }
}

#[test]
fn a_state_that_differs_has_another_hash() {
    let mut log = log();
    let before = run(&Arc::new(MemoryState::default()), &log, 1);
    log[30] = proposal(vec![put("key-1", "other", Expect::Any)]);
    assert_ne!(run(&Arc::new(MemoryState::default()), &log, 1), before);
}

#[test]
fn a_copy_continues_where_the_original_is_and_one_cut_short_counts_for_nothing() {
    let (log, original) = (log(), Arc::new(MemoryState::default()));
    let (half, rest) = log.split_at(30);
    run(&original, half, 1);
    let state = Mvcc::open(original.clone(), GroupId::MAIN).unwrap();
    let mut pages = vec![state.export(None, 7).unwrap()];
    while let Some((last, _)) = pages.last().and_then(|page| page.last()) {
        pages.push(state.export(Some(last), 7).unwrap());
    }
    let copy = Arc::new(MemoryState::default());
    run(&copy, &rest[..5], 1);
    let as_store: Arc<dyn actors_core::ports::StateStore> = copy.clone();
    let lost = Err(actors_core::ports::DiskError::Other("link lost".to_owned()));
    let cut_short = pages[..3].iter().cloned().map(Ok).chain([lost]);
    assert!(Mvcc::import(&as_store, GroupId::MAIN, cut_short).is_err());
    assert_eq!(Mvcc::open(copy.clone(), GroupId::MAIN).unwrap().position().index, 0);
    Mvcc::import(&as_store, GroupId::MAIN, pages.into_iter().map(Ok)).unwrap();
    assert_eq!(copy.contents(), original.contents());
    assert_eq!(run(&copy, &log, 1), run(&original, &log, 2));
}
