//! Hashes that name things: the same tree gives the same hash, whatever the order of its fields.
//!
//! Way in: [`object_hash`].  Spec: FNV-1a with 32 bits; the alphabet is that of Kubernetes'
//! generated names. Only stability matters: upstream hashes a dump of its own structs, which nobody
//! else can reproduce.

use crate::{Value, json, names::ALPHABET};

/// The 32-bit FNV-1a hash of some bytes.
#[must_use]
pub fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The text of a hash in letters that cannot form words or be confused: `5d4f8c7b9`.
#[must_use]
pub fn safe_encode(hash: u32) -> String {
    let letter = |digit: u8| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]);
    hash.to_string().bytes().map(letter).collect()
}

/// The hash of a tree in letters; `collisions` (a Deployment's `status.collisionCount`) gives
/// another one.
#[must_use]
pub fn object_hash(value: &Value, collisions: Option<i64>) -> String {
    let mut text = json::to_vec(&sorted(value));
    if let Some(count) = collisions {
        text.extend_from_slice(&count.to_le_bytes());
    }
    safe_encode(fnv32a(&text))
}

/// The tree with the fields of every map in the order of their names.
#[must_use]
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(sorted).collect()),
        Value::Map(map) => {
            let mut fields: crate::Map =
                map.iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by_key(Clone::clone);
            Value::Map(fields)
        }
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn fnv_matches_the_published_vectors() {
        assert_eq!(fnv32a(b""), 0x811c_9dc5);
        assert_eq!(fnv32a(b"a"), 0xe40c_292c);
        assert_eq!(fnv32a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn order_does_not_matter_and_collisions_do() {
        let one = value!({ "a": 1, "b": { "c": [1, 2], "d": null } });
        let other = value!({ "b": { "d": null, "c": [1, 2] }, "a": 1 });
        assert_eq!(object_hash(&one, None), object_hash(&other, None));
        assert_ne!(object_hash(&one, None), object_hash(&one, Some(0)));
        assert_ne!(object_hash(&one, Some(1)), object_hash(&one, Some(0)));
        assert!(object_hash(&one, None).bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
