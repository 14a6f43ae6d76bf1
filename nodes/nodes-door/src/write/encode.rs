//! An object as it is stored: canonical bytes, index columns, sealed if it is secret.
//!
//! Way in: [`encode`].  Invariants: 1. the same object gives the same bytes, so that a write that
//! changes nothing is seen. 2. `resourceVersion` is never stored; its place is remembered.

use std::ops::Range;

use actors_kinds::{KindFacts, convert, selectable_fields};
use actors_object::{ApiError, Map, Object, Value, json};
use bytes::Bytes;
use store_catalog::Item;
use store_mvcc::{Columns, Expect, Key, Op, VALUE_BYTES_MAX};

use super::splices::splices;
use crate::visit::Visit;

/// An object in the form in which it is proposed.
pub(super) struct Encoded {
    /// The tree in stored form, without a revision.
    pub(super) object: Object,
    /// Its canonical bytes, in clear.
    pub(super) plain: Vec<u8>,
    /// Where the values of the members stand in them.
    values: Vec<Range<usize>>,
    /// What the index needs.
    pub(super) columns: Columns,
    /// Whether it is ciphertext at rest.
    is_secret: bool,
}

/// Encodes an object of the request's kind.
pub(super) fn encode(visit: &Visit<'_>, object: Object) -> Result<Encoded, ApiError> {
    encode_as(visit, visit.kind, object)
}

/// Encodes an object of another kind, which is written beside that of the request.
pub(super) fn encode_as(
    visit: &Visit<'_>,
    kind: &KindFacts,
    object: Object,
) -> Result<Encoded, ApiError> {
    let mut object = object;
    convert::to_storage(kind, &mut object);
    let kind = if convert::is_converted(kind) {
        let stored = visit.door.registry.kind_of(&object);
        stored.ok_or_else(|| ApiError::internal("the stored form of a kind is not served"))?
    } else {
        kind
    };
    object.metadata_mut().remove("resourceVersion");
    visit.door.registry.canonical_order(kind, &mut object);
    let mut columns = columns(kind, &object);
    let (plain, values) = canonical(&object, &mut columns)?;
    if plain.len() > VALUE_BYTES_MAX - SEAL_OVERHEAD {
        let why =
            format!("the object has {} bytes; at most {VALUE_BYTES_MAX} are stored", plain.len());
        return Err(ApiError::too_large(why));
    }
    Ok(Encoded { object, plain, values, columns, is_secret: kind.is("", "Secret") })
}

/// How long most objects are at most; one that outgrows its buffer is copied.
const EXPECTED_BYTES: usize = 4_096;

/// What sealing adds, and a little more.
const SEAL_OVERHEAD: usize = 64;

impl Encoded {
    /// Whether the store holds exactly this.
    pub(super) fn is_stored_as(&self, item: &Item, visit: &Visit<'_>) -> bool {
        let stored = item.stored();
        if !stored.columns.sealed {
            return stored.value == self.plain;
        }
        let of = (&stored.key, stored.columns.uid.as_str());
        let sealer = visit.door.sealer.as_ref();
        sealer.is_some_and(|sealer| sealer.open(of, &stored.value).is_ok_and(|it| it == self.plain))
    }

    /// The bytes that are proposed, and their columns: both are taken out.
    pub(super) fn finish(
        &mut self,
        key: &Key,
        visit: &mut Visit<'_>,
    ) -> Result<(Bytes, Columns), ApiError> {
        if !self.is_secret {
            return Ok((std::mem::take(&mut self.plain).into(), std::mem::take(&mut self.columns)));
        }
        let missing = "this server has no key to seal Secrets with";
        let sealer = visit.door.sealer.as_ref().ok_or_else(|| ApiError::internal(missing))?;
        let of = (key, self.columns.uid.as_str());
        let sealed = sealer.seal(of, &self.plain, visit.rng).map_err(ApiError::internal)?;
        self.columns.sealed = true;
        Ok((sealed, std::mem::take(&mut self.columns)))
    }
}

/// The operation that changes what the store holds into this: only the bytes that differ, where
/// they are few, as they are when a pod is bound or a status is reported. What is sealed is always
/// written whole.
pub(super) fn change(
    encoded: &mut Encoded,
    item: &Item,
    visit: &mut Visit<'_>,
) -> Result<Op, ApiError> {
    let stored = item.stored();
    let (key, revision) = (item.key().clone(), stored.mod_revision);
    let small = || splices(&stored.value, &encoded.plain, &encoded.values);
    if let Some(splices) = (!encoded.is_secret).then(small).flatten() {
        let columns = std::mem::take(&mut encoded.columns);
        return Ok(Op::Delta { key, expect: revision, splices, columns });
    }
    let (value, columns) = encoded.finish(&key, visit)?;
    let expect = Expect::Revision(revision);
    Ok(Op::Put { key, value, columns, expect, lease: stored.lease })
}

fn columns(kind: &KindFacts, object: &Object) -> Columns {
    let pair = |(key, text): (&str, &str)| (key.to_owned(), text.to_owned());
    Columns {
        uid: object.uid().to_owned(),
        labels: object.labels().map(pair).collect(),
        owners: object.owners().into_iter().map(|owner| owner.uid).collect(),
        fields: selectable_fields(kind, object),
        rv_at: 0,
        sealed: false,
        generation: object.generation(),
    }
}

/// Writes the object and remembers the place behind `metadata.uid`, where its revision is spliced
/// in, and where the values of its members stand.
fn canonical(
    object: &Object,
    columns: &mut Columns,
) -> Result<(Vec<u8>, Vec<Range<usize>>), ApiError> {
    let lost = || ApiError::internal("an object without a uid cannot be stored");
    let root = object.as_map().ok_or_else(lost)?;
    let mut out = Vec::with_capacity(EXPECTED_BYTES);
    let (mut place, mut values) = (None, Vec::with_capacity(root.len()));
    write_map(root, &mut out, |name, value, out| {
        let start = out.len();
        match (name, value) {
            ("metadata", Value::Map(metadata)) => write_map(metadata, out, |name, value, out| {
                json::write(value, out);
                if name == "uid" {
                    place = Some(out.len());
                }
            }),
            _ => json::write(value, out),
        }
        values.push(start..out.len());
    });
    let place = place.ok_or_else(lost)?;
    columns.rv_at = u32::try_from(place).map_err(ApiError::internal)?;
    Ok((out, values))
}

fn write_map(map: &Map, out: &mut Vec<u8>, mut write: impl FnMut(&str, &Value, &mut Vec<u8>)) {
    out.push(b'{');
    for (number, (name, value)) in map.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        json::write(&Value::from(name), out);
        out.push(b':');
        write(name, value, out);
    }
    out.push(b'}');
}
