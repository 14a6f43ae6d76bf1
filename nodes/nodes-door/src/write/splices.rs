//! What differs between two canonical forms of an object, as few replaced bytes.
//!
//! Way in: [`splices`].  An object changes in its metadata (who owns what), its spec and its status; each is looked at
//! apart, so that a change in two of them is not the whole object.

use std::ops::Range;

use store_mvcc::Splice;

/// The replacements that make `new` of `old`, if they are much smaller than `new`.
pub(super) fn splices(old: &[u8], new: &[u8]) -> Option<Vec<Splice>> {
    let (before, after) = (members(old), members(new));
    let key = |text: &[u8], member: &Range<usize>| -> Vec<u8> {
        text.get(member.clone())
            .unwrap_or_default()
            .split(|byte| *byte == b':')
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let fits = before.len() == after.len()
        && before.iter().zip(&after).all(|(was, is)| key(old, was) == key(new, is));
    let pairs = match fits {
        true => before.into_iter().zip(after).collect(),
        false => vec![(0..old.len(), 0..new.len())],
    };
    let mut found = Vec::new();
    for (was, is) in pairs {
        let (old, new) = (old.get(was.clone())?, new.get(is)?);
        if old != new {
            found.push(splice((old, was.start), new)?);
        }
    }
    let inserted: usize = found.iter().map(|splice| splice.insert.len()).sum();
    (inserted <= new.len() / 2).then_some(found)
}

/// The one replacement that makes `new` of `old`, which stands at `start`.
fn splice((old, start): (&[u8], usize), new: &[u8]) -> Option<Splice> {
    let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
    let head = old.iter().zip(new).take_while(same).count();
    let rest = old.get(head..)?.iter().rev().zip(new.get(head..)?.iter().rev());
    let tail = rest.take_while(same).count();
    let insert = new.get(head..new.len() - tail)?;
    let at = u32::try_from(start + head).ok()?;
    let remove = u32::try_from(old.len() - tail - head).ok()?;
    Some(Splice { at, remove, insert: insert.to_vec().into() })
}

/// Where the members of an object's text stand, each from its key to the comma or brace behind it, with which the next
/// one begins. The text is canonical: no space stands between its parts.
fn members(text: &[u8]) -> Vec<Range<usize>> {
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
            b',' if depth == 1 => {
                found.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        if depth == 0 && !in_text {
            found.push(start..at);
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = splices(old.as_bytes(), new.as_bytes()).expect("a small change");
            assert_eq!(found.len(), pieces, "{found:?}");
            assert_eq!(applied(&old, &found), new);
        }
        let more = text("a", "1").replace(r#","status""#, r#","extra":0,"status""#);
        let found = splices(text("a", "1").as_bytes(), more.as_bytes()).expect("a small change");
        assert_eq!(applied(&text("a", "1"), &found), more);
        assert_eq!(splices(b"{}", text("a", "1").as_bytes()), None);
    }
}
