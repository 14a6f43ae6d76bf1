//! Long histories of a model store: sound ones are found sound quickly, and any one bent answer is
//! found.

use actors_core::Rng;

use super::*;
use crate::{Seen, WatchRecord, judge_operations, judge_watch};

/// Clients of a store that does each operation at once, somewhere between its beginning and its
/// end.
fn run(seed: u64, operations: usize) -> (Vec<Operation>, FinalLog) {
    let mut rng = Rng::from_number(seed);
    let mut log = FinalLog::default();
    let mut state = std::collections::BTreeMap::new();
    let mut history = Vec::new();
    for number in 0..operations {
        let effect = number as u64 * 10 + 50;
        let times = (effect - rng.below(50), effect + rng.below(50));
        let key = format!("k{}", rng.below(5));
        let current: Option<&Version> = state.get(&key);
        if rng.chance(400_000) {
            history.push(get(times, &key, log.last(), current.cloned()));
            continue;
        }
        let value = rng.chance(800_000).then(|| number.to_string());
        let expected = match rng.below(4) {
            0 => Expected::Absent,
            1 => Expected::Revision(current.map_or(0, |version| version.revision)),
            _ => Expected::Any,
        };
        let call = Call::Write { key: key.clone(), value: value.clone(), expected };
        if !expected.is_met_by(current) {
            let current = current.map(|version| version.revision);
            history.push(operation(times, call, Answer::Conflict { current }));
            continue;
        }
        let revision = log.last() + 1;
        log.entries.push(LogEntry { revision, key: key.clone(), value: value.clone() });
        match value {
            Some(value) => state.insert(key, Version { revision, value }),
            None => state.remove(&key),
        };
        let lost = rng.chance(50_000);
        history.push(operation(
            times,
            call,
            if lost { Answer::Unknown } else { Answer::Written { revision } },
        ));
    }
    (history, log)
}

#[test]
fn long_sound_histories_are_sound() {
    for seed in 0..20 {
        let (history, log) = run(seed, 2_000);
        let verdict = judge_operations(&history, &log);
        assert!(verdict.is_sound(), "seed {seed}: {:?}", verdict.violations);
        assert_eq!(verdict.judged, 2_000);
    }
}

#[test]
fn any_lost_acknowledged_write_is_found() {
    let (history, log) = run(7, 300);
    let acknowledged = history.iter().filter_map(|operation| match operation.answer {
        Answer::Written { revision } => Some(revision),
        _ => None,
    });
    for revision in acknowledged {
        // The store forgot it, and went on counting as if it had never been.
        let mut shorter = log.clone();
        shorter.entries.remove(usize::try_from(revision).unwrap() - 1);
        (1..).zip(&mut shorter.entries).for_each(|(revision, entry)| entry.revision = revision);
        assert!(!judge_operations(&history, &shorter).is_sound(), "revision {revision} was lost");
    }
}

#[test]
fn any_read_of_another_state_is_found() {
    let (history, log) = run(11, 300);
    for bent in 0..history.len() {
        let mut history = history.clone();
        let Answer::Read { revision, found } = &mut history[bent].answer else { continue };
        match found.first_mut() {
            Some((_, version)) => version.value.push('x'),
            None => found.push(("k0".to_owned(), version(*revision, "x"))),
        }
        assert!(!judge_operations(&history, &log).is_sound(), "operation {bent} was bent");
    }
}

#[test]
fn any_dropped_doubled_or_swapped_event_is_found() {
    let (_, log) = run(13, 200);
    let sound: Vec<_> =
        log.entries.iter().cloned().map(Seen::Change).chain([Seen::Bookmark(log.last())]).collect();
    let judge = |seen: Vec<Seen>| {
        judge_watch(&WatchRecord { prefix: "k".to_owned(), after: 0, started: Mono(0), seen }, &log)
    };
    assert!(judge(sound.clone()).is_sound());
    for at in 0..log.entries.len() {
        let (mut dropped, mut doubled, mut swapped) = (sound.clone(), sound.clone(), sound.clone());
        dropped.remove(at);
        doubled.insert(at, sound[at].clone());
        swapped.swap(at, at + 1);
        for bent in [dropped, doubled, swapped] {
            assert!(!judge(bent).is_sound(), "event {at} was bent");
        }
    }
}

#[test]
fn a_verdict_stays_small_and_counts_all() {
    let (history, _) = run(17, 500);
    let mut verdict = judge_operations(&history, &FinalLog::default());
    assert_eq!(verdict.violations.len(), Verdict::KEPT);
    assert!(verdict.count > Verdict::KEPT);
    let count = verdict.count;
    verdict.merge(verdict.clone());
    assert_eq!((verdict.count, verdict.judged), (2 * count, 1_000));
}
