//! Protobuf: no bytes harm, a message that is read is written as one that means the same, and JSON agrees.

use actors_core::Rng;
use actors_kinds::{
    Registry, conform,
    protobuf::{Envelope, decode, encode},
};
use actors_object::{Value, json};
use bytes::Bytes;
use tests_fuzz::{Prey, grow, hunt, metered, spoil};

use crate::{KINDS, bounds, grown, outline, registry, sort_of};

/// Tags and lengths that are not what they seem.
const WORDS: [&str; 14] = [
    "\u{0}",
    "\u{1}",
    "\u{a}\u{0}",
    "\u{a}\u{1}",
    "\u{12}\u{7f}",
    "\u{8}",
    "\u{b}",
    "\u{c}",
    "\u{d}",
    "\u{1a}\u{2}\u{a}\u{0}",
    "\u{22}\u{0}",
    "\u{2a}\u{0}",
    "k8s\u{0}",
    "\u{7f}\u{7f}\u{7f}\u{7f}",
];

/// An input: which kind, then its message.
fn input(at: usize, message: &[u8]) -> Vec<u8> {
    [&[u8::try_from(at).unwrap_or(0)], message].concat()
}

#[test]
fn no_message_harms_and_what_is_read_means_the_same_in_json() {
    let registry = registry();
    let mut seeds = Vec::new();
    for (name, tree) in grown(&registry, 6) {
        let shape = registry.shape_named(name);
        if let Ok(message) = encode(registry.schema(), &shape, &tree) {
            let at = KINDS.iter().position(|kind| *kind == name).unwrap_or(0);
            seeds.push(input(at, &message));
        }
    }
    assert!(seeds.len() > 30, "most trees that are grown have a message: {}", seeds.len());
    let prey = Prey { name: "protobuf", seeds, words: &WORDS, cases: 30_000 };
    hunt(prey, &|input| judge(&registry, input));
}

fn judge(registry: &Registry, input: &[u8]) -> String {
    let (at, message) =
        input.split_first().map_or((0, &[][..]), |(at, rest)| (usize::from(*at), rest));
    let (schema, shape) = (registry.schema(), registry.shape_named(KINDS[at % KINDS.len()]));
    let read = metered(message.len(), bounds::PROTOBUF, || decode(schema, &shape, message));
    let tree = match read {
        Ok(tree) => tree,
        Err(error) => return sort_of(&error),
    };
    let written = encode(schema, &shape, &tree).expect("what was read can be written");
    let again = decode(schema, &shape, &written);
    assert_eq!(again.as_ref(), Ok(&tree), "it is read as something else");
    let text = json::to_vec(&tree);
    let from_json = json::from_slice(&text).expect("a tree is JSON");
    assert_eq!(from_json, tree, "JSON has it otherwise");
    let from_json = encode(schema, &shape, &from_json);
    assert_eq!(from_json.as_ref(), Ok(&written), "from JSON it is another message");
    outline(&tree)
}

#[test]
fn no_envelope_harms() {
    let seeds = vec![Envelope::seal("v1", "Pod", b"\n\x03\n\x01p"), Envelope::seal("", "", b"")];
    let prey = Prey { name: "envelope", seeds, words: &WORDS, cases: 40_000 };
    hunt(prey, &|body| {
        let body = Bytes::copy_from_slice(body);
        let opened = metered(body.len(), bounds::SHORT, || Envelope::open(&body));
        let envelope = match opened {
            Ok(envelope) => envelope,
            Err(error) => return sort_of(&error),
        };
        let sealed = Envelope::seal(&envelope.api_version, &envelope.kind, &envelope.raw);
        assert_eq!(Envelope::open(&Bytes::from(sealed)), Ok(envelope.clone()));
        format!("{} bytes", envelope.raw.len().max(1).ilog2())
    });
}

/// Trees of a kind, some of them spoiled: what the door takes has a message, and what is read of that has one that is
/// read as the same.
#[test]
fn what_conforms_to_its_kind_survives_protobuf() {
    let registry = registry();
    let schema = registry.schema();
    let mut rng = Rng::from_number(11).ready();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..1_500 {
        let name = KINDS[round % KINDS.len()];
        let shape = registry.shape_named(name);
        let mut tree = grow(&mut rng, (schema, &shape), 8);
        for _ in 0..rng.below(3) {
            spoil(&mut rng, &mut tree);
        }
        let report = conform::check_fields(schema, &shape, &tree);
        if !report.mismatches.is_empty() || tree.as_map().is_none() {
            refused += 1;
            continue;
        }
        conform::normalize(schema, &shape, &mut tree);
        taken += 1;
        check(&registry, (name, &tree));
    }
    assert!(taken > 300 && refused > 100, "taken {taken}, refused {refused}");
}

fn check(registry: &Registry, (name, tree): (&str, &Value)) {
    let (schema, shape) = (registry.schema(), registry.shape_named(name));
    let shown = || json::to_string(tree);
    let message = encode(schema, &shape, tree)
        .unwrap_or_else(|error| panic!("{name} has no message: {error}\n{}", shown()));
    let read = decode(schema, &shape, &message);
    let read = read.unwrap_or_else(|error| panic!("{name} is not read: {error}\n{}", shown()));
    // Empty texts and numbers are written as a client wrote them, and mean nothing: they are not read.
    let again = encode(schema, &shape, &read).map(|again| decode(schema, &shape, &again));
    let said = || json::to_string(&read);
    assert_eq!(again, Ok(Ok(read.clone())), "{name} is read as another\n{}\n{}", shown(), said());
}
