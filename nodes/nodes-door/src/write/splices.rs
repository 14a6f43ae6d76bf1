//! What differs between two canonical forms of an object, as few replaced bytes.
//!
//! Way in: [`splices`].  An object changes in its metadata (who owns what), its spec and its status; each is looked at
//! apart, so that a change in two of them is not the whole object.

use std::ops::Range;

use store_mvcc::Splice;

/// The replacements that make `new` of `old`, if they are much smaller than `new`; `values` is where the values of its
/// members stand in `new`. That they are looked for in `old` by their names alone can make replacements longer, never
/// wrong: what stands between two of them is a comma in both.
pub(super) fn splices(old: &[u8], new: &[u8], values: &[Range<usize>]) -> Option<Vec<Splice>> {
    let head = same_head(old, new);
    let tail = same_tail(old.get(head..)?, new.get(head..)?);
    let mut found = Vec::new();
    let (mut was_from, mut is_from) = (1, 1);
    let ends = values.iter().zip(values.iter().skip(1));
    for (value, next) in ends {
        let is_to = value.end;
        let was_to = if is_to < head {
            is_to
        } else if is_to >= new.len() - tail {
            is_to + old.len() - new.len()
        } else {
            let name = new.get(is_to..next.start)?;
            let within = was_from.max(head)..old.len() - tail;
            let Some(was_to) = place_of(name, old, within) else { continue };
            was_to
        };
        found.extend(splice((old, was_from..was_to), (new, is_from..is_to))?);
        (was_from, is_from) = (was_to + 1, is_to + 1);
    }
    found.extend(splice((old, was_from..old.len()), (new, is_from..new.len()))?);
    let inserted: usize = found.iter().map(|splice| splice.insert.len()).sum();
    (inserted <= new.len() / 2).then_some(found)
}

/// Where a name stands with the comma before it, if it begins within a part of the text.
fn place_of(name: &[u8], text: &[u8], within: Range<usize>) -> Option<usize> {
    let (from, part) = (within.start, text.get(within)?);
    let commas = part.iter().enumerate().filter(|(_, byte)| **byte == b',');
    let mut places = commas.map(|(at, _)| from + at);
    places.find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(name)))
}

/// The one replacement that makes a part of `new` of a part of `old`, if they differ; `None` if a part is none.
fn splice(
    (old, was): (&[u8], Range<usize>),
    (new, is): (&[u8], Range<usize>),
) -> Option<Option<Splice>> {
    let start = was.start;
    let (old, new) = (old.get(was)?, new.get(is)?);
    let head = same_head(old, new);
    if head == old.len() && head == new.len() {
        return Some(None);
    }
    let tail = same_tail(old.get(head..)?, new.get(head..)?);
    let insert = new.get(head..new.len() - tail)?;
    let at = u32::try_from(start + head).ok()?;
    let remove = u32::try_from(old.len() - tail - head).ok()?;
    Some(Some(Splice { at, remove, insert: insert.to_vec().into() }))
}

/// How many bytes are compared at once.
const AT_ONCE: usize = 16;

/// How many bytes at the beginning are the same.
fn same_head(one: &[u8], other: &[u8]) -> usize {
    let same = |pair: &(&[u8], &[u8])| pair.0 == pair.1;
    let parts = one.chunks_exact(AT_ONCE).zip(other.chunks_exact(AT_ONCE));
    let known = parts.take_while(same).count() * AT_ONCE;
    let rest = one.iter().skip(known).zip(other.iter().skip(known));
    known + rest.take_while(|(one, other)| one == other).count()
}

/// How many bytes at the end are the same.
fn same_tail(one: &[u8], other: &[u8]) -> usize {
    let same = |pair: &(&[u8], &[u8])| pair.0 == pair.1;
    let parts = one.rchunks_exact(AT_ONCE).zip(other.rchunks_exact(AT_ONCE));
    let known = parts.take_while(same).count() * AT_ONCE;
    let rest = one.iter().rev().skip(known).zip(other.iter().rev().skip(known));
    known + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the values of an object's members stand, read again.
    fn values(text: &[u8]) -> Vec<Range<usize>> {
        let (mut depth, mut in_text, mut escaped, mut start) = (0_u32, false, false, 1);
        let mut found = Vec::new();
        for (at, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b':' if depth == 1 => start = at + 1,
                b',' if depth == 1 => found.push(start..at),
                _ => {}
            }
            if depth == 0 && !in_text {
                found.push(start..at);
                break;
            }
        }
        found
    }

    fn between(old: &str, new: &str) -> Option<Vec<Splice>> {
        splices(old.as_bytes(), new.as_bytes(), &values(new.as_bytes()))
    }

    fn applied(old: &str, splices: &[Splice]) -> String {
        let (mut out, mut from) = (String::new(), 0);
        for splice in splices {
            let at = usize::try_from(splice.at).expect("an offset");
            out.push_str(&old[from..at]);
            out.push_str(std::str::from_utf8(&splice.insert).expect("text"));
            from = at + usize::try_from(splice.remove).expect("a length");
        }
        out.push_str(&old[from..]);
        out
    }

    #[test]
    fn changes_of_two_members_are_two_splices() {
        let filling = "x".repeat(100);
        let text = |owner: &str, node: &str| {
            format!(
                r#"{{"kind":"Pod","metadata":{{"o":"{owner}"}},"spec":{{"f":"\"{filling},{{","node":{node}}},"status":[1,2]}}"#
            )
        };
        for (old, new, pieces) in [
            (text("a", "null"), text("bcd", "\"n1\""), 2),
            (text("a", "null"), text("a", "1"), 1),
            (text("a", "{}"), text("a", "{}"), 0),
        ] {
            let found = between(&old, &new).expect("a small change");
            assert_eq!(found.len(), pieces, "{found:?}");
            assert_eq!(applied(&old, &found), new);
        }
        let more = text("a", "1").replace(r#","status""#, r#","extra":0,"status""#);
        let found = between(&text("a", "1"), &more).expect("a small change");
        assert_eq!(applied(&text("a", "1"), &found), more);
        assert_eq!(between("{}", &text("a", "1")), None);
    }

    /// Of two objects, from a stream of randomness: members come, go and change, and are found in each other's texts.
    #[test]
    fn what_is_replaced_makes_the_new_text() {
        let mut rng = actors_core::Rng::from_number(7);
        let words = [r#""s""#, r#","spec":{"a":1}"#, r#""x","spec":1"#, "[1,2]", r#"{"spec":","}"#];
        let mut found = 0;
        for _ in 0..3_000 {
            let mut object = || {
                let mut members = Vec::new();
                for name in ["kind", "metadata", "spec", "status"] {
                    if rng.below(8) > 0 {
                        let word = words[usize::try_from(rng.below(5)).expect("small")];
                        let word = serde_json::to_string(word).expect("text");
                        let more = "filling ".repeat(usize::try_from(rng.below(6)).expect("small"));
                        members.push(format!(r#""{name}":[{word},"{more}"]"#));
                    }
                }
                format!("{{{}}}", members.join(","))
            };
            let (old, new) = (object(), object());
            if let Some(splices) = between(&old, &new) {
                found += 1;
                assert_eq!(applied(&old, &splices), new, "from {old}");
            }
        }
        assert!(found > 500, "{found} small changes");
    }
}
