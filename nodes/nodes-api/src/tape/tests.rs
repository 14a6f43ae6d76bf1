//! Watchers of one tape, each at its own place, against what each is owed.

use actors_core::Rng;
use store_mvcc::{Columns, Key, Stored};

use super::*;

fn item(revision: u64) -> Arc<Item> {
    let stored = Stored {
        key: Key::from("/registry/configmaps/default/a"),
        create_revision: store_mvcc::Revision(1),
        mod_revision: store_mvcc::Revision(revision),
        version: revision,
        value: "{}".into(),
        columns: Columns::default(),
        lease: None,
    };
    Arc::new(Item::new(Arc::new(stored), None))
}

fn frame(event: &WatchEvent) -> Vec<u8> {
    let (item, form) = shared(event, Form::Json).expect("it is shared");
    let size = 1 + item.revision().0 as usize * 37 % 3_000;
    format!("{}{form:?}{}\n", item.revision(), "x".repeat(size)).into_bytes()
}

/// Writes as a watch does; how many frames came from the tape.
fn write(tape: &RefCell<Tape>, mut events: &[WatchEvent], out: &mut Vec<u8>) -> usize {
    let mut from_tape = 0;
    while !events.is_empty() {
        let mut pieces = Pieces::default();
        let mut played = tape.borrow().play(events, Form::Json, &mut pieces);
        from_tape += played;
        while let Some(piece) = pieces.take() {
            out.extend_from_slice(&piece);
        }
        if played == 0 {
            let bytes = frame(&events[0]);
            let (item, form) = shared(&events[0], Form::Json).expect("it is shared");
            tape.borrow_mut().record(item, form, &bytes);
            out.extend_from_slice(&bytes);
            played = 1;
        }
        events = &events[played..];
    }
    from_tape
}

#[test]
fn every_watcher_gets_its_own_frames() {
    let mut rng = Rng::from_number(7);
    let mut from_tape = 0;
    let all: Vec<WatchEvent> = (1..2_000)
        .map(|revision| {
            let entry = Entry::Stored(item(revision));
            match rng.below(3) {
                0 => WatchEvent::Added(entry),
                1 => WatchEvent::Modified(entry),
                _ => WatchEvent::Deleted(entry),
            }
        })
        .collect();
    let tape = RefCell::new(Tape::default());
    // Some see all, some only a part: as if they had another selector, or another version of what is the same revision.
    let mut places = [0_usize; 6];
    while places.iter().any(|place| *place < all.len()) {
        let watcher = rng.below(places.len() as u64) as usize;
        let from = places[watcher];
        let to = (from + rng.below(90) as usize).min(all.len());
        let seen = all[from..to].iter().filter_map(|event| match (watcher, event) {
            (4, WatchEvent::Deleted(_)) => None,
            (5, WatchEvent::Modified(Entry::Stored(own))) => {
                Some(WatchEvent::Modified(Entry::Stored(item(own.revision().0))))
            }
            _ => Some(event.clone()),
        });
        let seen: Vec<WatchEvent> = seen.collect();
        let mut out = Vec::new();
        let played = write(&tape, &seen, &mut out);
        from_tape += played;
        assert!(out == seen.iter().flat_map(frame).collect::<Vec<u8>>(), "{watcher} {from} {to}");
        assert!(tape.borrow().bytes.len() <= BYTES_MAX);
        places[watcher] = to;
    }
    assert!(from_tape > 0);
}

#[test]
fn who_comes_later_reads_what_is_there() {
    let all: Vec<WatchEvent> =
        (1..600).map(|number| WatchEvent::Added(Entry::Stored(item(number)))).collect();
    let (tapes, mut rng) = (Tapes::default(), Rng::from_number(3));
    let tape = tapes.join("all".to_owned()).expect("there is room");
    assert!(tapes.join("others".to_owned()).is_some_and(|others| !Rc::ptr_eq(&others, &tape)));
    let (mut first, mut others) = (0, 0);
    let mut places = [0_usize; 5];
    while places.iter().any(|place| *place < all.len()) {
        let watcher = rng.below(places.len() as u64) as usize;
        let own = tapes.join("all".to_owned()).expect("there is room");
        assert!(Rc::ptr_eq(&own, &tape));
        let (from, mut out) = (places[watcher], Vec::new());
        let to = (from + rng.below(50) as usize).min(all.len());
        let played = write(&own, &all[from..to], &mut out);
        assert!(out == all[from..to].iter().flat_map(frame).collect::<Vec<u8>>());
        assert!(tape.borrow().bytes.len() <= BYTES_MAX);
        (first, others) = (first + (to - from) - played, others + played);
        places[watcher] = to;
    }
    assert!(others > first, "{others} frames were played, {first} were not");
}

#[test]
fn there_are_no_more_tapes_than_there_may_be() {
    let tapes = Tapes::default();
    let mut held: Vec<_> = (0..TAPES_MAX)
        .map(|number| tapes.join(number.to_string()).expect("there is room"))
        .collect();
    assert!(tapes.join("one more".to_owned()).is_none());
    assert!(tapes.join("0".to_owned()).is_some());
    held.pop();
    assert!(tapes.join("one more".to_owned()).is_some());
}
