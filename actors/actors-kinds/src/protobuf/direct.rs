//! From stored JSON to bytes, without a tree between: what lists and watches send of many objects.
//!
//! Way in: [`write`].  Invariant: what is written is what the way by a tree writes; whatever does not stand there as our
//! own writer of JSON leaves it, in canonical order, is nothing (`None`), and goes that way.

use std::borrow::Cow;

use actors_object::json;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Canonical, DEPTH_MAX,
    cursor::Cursor,
    recording::Fill,
    scalars,
    wire::{Out, Writer},
};
use crate::facts::{FieldFacts, Schema, Shape, TypeFacts};

/// Writes a stored version as a message of this shape, or counts its bytes.
pub(super) fn write<O: Out>(schema: &Schema, shape: &Shape, stored: Canonical<'_>) -> Option<O> {
    let facts = schema.object_facts(shape)?;
    let text = std::str::from_utf8(stored.json).ok()?;
    let revision = Some((stored.revision_at, stored.revision));
    let mut way = Direct { schema, json: Cursor { text, at: 0 }, revision };
    let mut out = Writer::default();
    way.object(facts, &mut out, DEPTH_MAX)?;
    let is_whole = way.json.at == text.len() && way.revision.is_none();
    is_whole.then(|| out.into_inner())
}

struct Direct<'a> {
    schema: &'a Schema,
    json: Cursor<'a>,
    /// Where `resourceVersion` belongs, and what it is; none once it is written.
    revision: Option<(usize, &'a str)>,
}

/// Messages that JSON inlines and that are open: their numbers, and where they began.
type Inlined = Vec<(u16, usize)>;

impl<'a> Direct<'a> {
    fn object<O: Out>(
        &mut self,
        facts: &'a TypeFacts,
        out: &mut Writer<O>,
        depth: usize,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.json.expect(b'{')?;
        if self.json.take(b'}') {
            return Some(());
        }
        let (mut next, mut inlined) = (0, Inlined::new());
        loop {
            let name = self.json.plain()?;
            self.json.expect(b':')?;
            match find(facts, &mut next, name)? {
                Some(field) if !field.numbers.is_empty() => {
                    let number = enter(field, &mut inlined, out)?;
                    self.field(field, number, (out, depth))?;
                }
                _ => drop(self.json.skip()?),
            }
            if let Some((_, revision)) = self.revision.take_if(|(at, _)| *at == self.json.at) {
                let field = find(facts, &mut next, "resourceVersion")??;
                let number = enter(field, &mut inlined, out)?;
                let here = self.json.at..self.json.at;
                out.text(number, revision, Some((Fill::Revision, here)));
            }
            if !self.json.take(b',') {
                break;
            }
        }
        self.json.expect(b'}')?;
        leave(&mut inlined, 0, out);
        Some(())
    }

    fn field<O: Out>(
        &mut self,
        field: &'a FieldFacts,
        number: u16,
        (out, depth): (&mut Writer<O>, usize),
    ) -> Option<()> {
        if self.json.peek() == Some(b'n') {
            return None;
        }
        match &field.shape {
            Shape::List(item) => self.items(item, number, (out, depth)),
            Shape::Map(item) => {
                self.json.expect(b'{')?;
                let mut last: Option<Cow<'a, str>> = None;
                if self.json.take(b'}') {
                    return Some(());
                }
                loop {
                    let key = self.json.string()?;
                    // The other way sorts.
                    if last.is_some_and(|last| last >= key) {
                        return None;
                    }
                    self.json.expect(b':')?;
                    let start = out.open(number);
                    out.bytes(1, key.as_bytes());
                    match &**item {
                        Shape::List(inner) => {
                            let start = out.open(2);
                            self.items(inner, 1, (out, depth))?;
                            out.close(start);
                        }
                        item => self.value(item, 2, (out, depth))?,
                    }
                    out.close(start);
                    last = Some(key);
                    if !self.json.take(b',') {
                        return self.json.expect(b'}');
                    }
                }
            }
            shape => self.value(shape, number, (out, depth)),
        }
    }

    fn items<O: Out>(
        &mut self,
        item: &'a Shape,
        number: u16,
        (out, depth): (&mut Writer<O>, usize),
    ) -> Option<()> {
        self.json.expect(b'[')?;
        if self.json.take(b']') {
            return Some(());
        }
        loop {
            self.value(item, number, (out, depth))?;
            if !self.json.take(b',') {
                return self.json.expect(b']');
            }
        }
    }

    fn value<O: Out>(
        &mut self,
        shape: &'a Shape,
        number: u16,
        (out, depth): (&mut Writer<O>, usize),
    ) -> Option<()> {
        match shape {
            Shape::String => self.text(number, out)?,
            Shape::Bytes => out.bytes(number, &STANDARD.decode(self.json.plain()?).ok()?),
            Shape::Int32 | Shape::Int64 => {
                let start = self.json.at;
                let value: i64 = self.json.scalar().parse().ok()?;
                out.tag(number, 0);
                let place = (Fill::Number, start..self.json.at);
                out.slot(place, |out| out.varint(u64::from_le_bytes(value.to_le_bytes())));
            }
            Shape::Bool => out.number(number, i64::from(self.json.scalar().parse::<bool>().ok()?)),
            Shape::Double => {
                let value = json::from_slice(self.json.scalar().as_bytes()).ok()?;
                out.double(number, value.as_f64()?);
            }
            Shape::Time | Shape::MicroTime => {
                let start = out.open(number);
                let text = self.json.plain()?;
                let end = self.json.at - 1;
                let place = (Fill::Instant, end - text.len()..end);
                out.slot(place, |out| scalars::write_time(text, out))?;
                out.close(start);
            }
            Shape::Quantity => {
                let start = out.open(number);
                self.text(1, out)?;
                out.close(start);
            }
            Shape::IntOrString => {
                let start = out.open(number);
                if self.json.peek() == Some(b'"') {
                    out.number(1, 1);
                    out.number(2, 0);
                    self.text(3, out)?;
                } else {
                    scalars::write_int_or_string(0, self.json.scalar().parse().ok()?, "", out);
                }
                out.close(start);
            }
            Shape::Any => {
                let start = out.open(number);
                self.any(out)?;
                out.close(start);
            }
            Shape::Object(id) => {
                let facts = self.schema.facts(*id)?;
                let start = out.open(number);
                self.object(facts, out, depth)?;
                out.close(start);
            }
            Shape::SchemaOr(..) | Shape::List(_) | Shape::Map(_) => return None,
        }
        Some(())
    }
}

impl<'a> Direct<'a> {
    fn text<O: Out>(&mut self, number: u16, out: &mut Writer<O>) -> Option<()> {
        let start = self.json.at + 1;
        let text = self.json.string()?;
        // What has escapes stands otherwise in the JSON.
        let place = match &text {
            Cow::Borrowed(text) => Some((Fill::Text, start..start + text.len())),
            Cow::Owned(_) => None,
        };
        out.text(number, &text, place);
        Some(())
    }

    /// JSON as it is: the only field of its message.
    fn any<O: Out>(&mut self, out: &mut Writer<O>) -> Option<()> {
        let json = self.json.skip()?;
        if !O::RECORDS {
            out.bytes(1, json.as_bytes());
            return Some(());
        }
        let (before, bytes) = (self.json.at - json.len(), json.as_bytes());
        let (start, mut from) = (out.open(1), 0);
        while let Some(ahead) = bytes[from..].iter().position(|byte| *byte == b'"') {
            let mut within = Cursor { text: json, at: from + ahead };
            within.skip_string()?;
            let text = from + ahead + 1..within.at - 1;
            out.raw(&bytes[from..text.start]);
            let place = (Fill::Part, before + text.start..before + text.end);
            out.slot(place, |out| out.raw(&bytes[text.clone()]));
            out.raw(b"\"");
            from = within.at;
        }
        out.raw(&bytes[from..]);
        out.close(start);
        Some(())
    }
}

/// The field of this name, looked for behind the last one; an inner `None` if there is none. Nothing if it stands before.
fn find<'a>(facts: &'a TypeFacts, next: &mut usize, name: &str) -> Option<Option<&'a FieldFacts>> {
    let behind = facts.fields.get(*next..).unwrap_or_default();
    match behind.iter().position(|field| *field.name == *name) {
        Some(ahead) => {
            let field = behind.get(ahead);
            *next += ahead + 1;
            Some(field)
        }
        None => facts.position(name).is_none().then_some(None),
    }
}

/// Opens the messages around a field that JSON inlines, and closes those that it is not in; its own number.
fn enter<O: Out>(field: &FieldFacts, inlined: &mut Inlined, out: &mut Writer<O>) -> Option<u16> {
    let (own, around) = field.numbers.split_last()?;
    let shared = inlined.iter().zip(around).take_while(|((open, _), wanted)| open == *wanted);
    let shared = shared.count();
    leave(inlined, shared, out);
    for number in around.get(shared..)? {
        inlined.push((*number, out.open(*number)));
    }
    Some(*own)
}

fn leave<O: Out>(inlined: &mut Inlined, kept: usize, out: &mut Writer<O>) {
    while inlined.len() > kept {
        if let Some((_, start)) = inlined.pop() {
            out.close(start);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
