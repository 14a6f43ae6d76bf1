//! From stored JSON to bytes, without a tree between: what lists and watches send of many objects.
//!
//! Way in: [`write`].  Invariant: what is written is what the way by a tree writes; whatever does not stand there as our
//! own writer of JSON leaves it, in canonical order, is nothing (`None`), and goes that way.

use std::borrow::Cow;

use actors_object::json;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Canonical, DEPTH_MAX, scalars,
    wire::{Out, Writer},
};
use crate::facts::{FieldFacts, Schema, Shape, TypeFacts};

/// Writes a stored version as a message of this shape, or counts its bytes.
pub(super) fn write<O: Out>(schema: &Schema, shape: &Shape, stored: Canonical<'_>) -> Option<O> {
    let facts = schema.object_facts(shape)?;
    let text = std::str::from_utf8(stored.json).ok()?;
    let revision = Some((stored.revision_at, stored.revision));
    let mut way = Direct { schema, text, at: 0, revision };
    let mut out = Writer::default();
    way.object(facts, &mut out, DEPTH_MAX)?;
    let is_whole = way.at == text.len() && way.revision.is_none();
    is_whole.then(|| out.into_inner())
}

struct Direct<'a> {
    schema: &'a Schema,
    text: &'a str,
    at: usize,
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
        self.expect(b'{')?;
        if self.take(b'}') {
            return Some(());
        }
        let (mut next, mut inlined) = (0, Inlined::new());
        loop {
            let name = self.plain()?;
            self.expect(b':')?;
            match find(facts, &mut next, name)? {
                Some(field) if !field.numbers.is_empty() => {
                    let number = enter(field, &mut inlined, out)?;
                    self.field(field, number, (out, depth))?;
                }
                _ => drop(self.skip()?),
            }
            if let Some((_, revision)) = self.revision.take_if(|(at, _)| *at == self.at) {
                let field = find(facts, &mut next, "resourceVersion")??;
                let number = enter(field, &mut inlined, out)?;
                out.bytes(number, revision.as_bytes());
            }
            if !self.take(b',') {
                break;
            }
        }
        self.expect(b'}')?;
        leave(&mut inlined, 0, out);
        Some(())
    }

    fn field<O: Out>(
        &mut self,
        field: &'a FieldFacts,
        number: u16,
        (out, depth): (&mut Writer<O>, usize),
    ) -> Option<()> {
        if self.peek() == Some(b'n') {
            return None;
        }
        match &field.shape {
            Shape::List(item) => self.items(item, number, (out, depth)),
            Shape::Map(item) => {
                self.expect(b'{')?;
                let mut last: Option<Cow<'a, str>> = None;
                if self.take(b'}') {
                    return Some(());
                }
                loop {
                    let key = self.string()?;
                    // The other way sorts.
                    if last.is_some_and(|last| last >= key) {
                        return None;
                    }
                    self.expect(b':')?;
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
                    if !self.take(b',') {
                        return self.expect(b'}');
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
        self.expect(b'[')?;
        if self.take(b']') {
            return Some(());
        }
        loop {
            self.value(item, number, (out, depth))?;
            if !self.take(b',') {
                return self.expect(b']');
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
            Shape::String => out.bytes(number, self.string()?.as_bytes()),
            Shape::Bytes => out.bytes(number, &STANDARD.decode(self.plain()?).ok()?),
            Shape::Int32 | Shape::Int64 => out.number(number, self.scalar().parse().ok()?),
            Shape::Bool => out.number(number, i64::from(self.scalar().parse::<bool>().ok()?)),
            Shape::Double => {
                let value = json::from_slice(self.scalar().as_bytes()).ok()?;
                out.double(number, value.as_f64()?);
            }
            Shape::Time | Shape::MicroTime => {
                let start = out.open(number);
                scalars::write_time(self.plain()?, out)?;
                out.close(start);
            }
            Shape::Quantity => {
                let start = out.open(number);
                out.bytes(1, self.string()?.as_bytes());
                out.close(start);
            }
            Shape::IntOrString => {
                let start = out.open(number);
                if self.peek() == Some(b'"') {
                    scalars::write_int_or_string(1, 0, &self.string()?, out);
                } else {
                    scalars::write_int_or_string(0, self.scalar().parse().ok()?, "", out);
                }
                out.close(start);
            }
            Shape::Any => {
                let start = out.open(number);
                out.bytes(1, self.skip()?.as_bytes());
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

/// JSON without white space, as our writer leaves it.
impl<'a> Direct<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    /// A number or a word.
    fn scalar(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.bytes().position(|byte| matches!(byte, b',' | b'}' | b']'));
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at += word.len();
        word
    }

    /// A text without escapes.
    fn plain(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let rest = self.text.get(self.at..)?;
        let text = rest.get(..json::plain_len(rest.as_bytes()))?;
        self.at += text.len();
        self.expect(b'"')?;
        Some(text)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at;
        if let Some(text) = self.plain() {
            return Some(Cow::Borrowed(text));
        }
        self.at = start;
        self.skip_string()?;
        let text = json::from_slice(self.text.get(start..self.at)?.as_bytes()).ok()?;
        Some(Cow::Owned(text.as_str()?.to_owned()))
    }

    fn skip_string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            self.at += json::plain_len(self.text.as_bytes().get(self.at..)?);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => return None,
            }
        }
    }

    /// Passes over a value, and returns it.
    fn skip(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ if self.scalar().is_empty() => return None,
                _ => {}
            }
            if depth == 0 {
                return self.text.get(start..self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
