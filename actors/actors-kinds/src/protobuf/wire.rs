//! Protobuf's wire: varints, fixed and counted fields.
//!
//! Way in: [`Reader`], [`Writer`].  Never: a panic, whatever the bytes are.
//! Spec: protobuf documentation, "Encoding".

use std::ops::Range;

use super::{ProtobufError, recording::Fill};

/// Reads the fields of one message.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: &'a str,
}

/// One field as it stands on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Reader<'a> {
    /// `at` names the message in errors.
    pub(crate) fn new(bytes: &'a [u8], at: &'a str) -> Self {
        Self { bytes, at }
    }

    /// The next field and its number; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u16, Field<'a>)>, ProtobufError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        // Numbers beyond those of the table are skipped like any unknown one.
        let number = u16::try_from(tag >> 3).unwrap_or(u16::MAX);
        if number == 0 {
            return Err(self.damaged("a field has the number 0"));
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length)
                    .map_err(|_| self.damaged("a length is larger than the body"))?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(self.damaged("a field has a wire type that is not in use")),
        };
        Ok(Some((number, field)))
    }

    /// The next varint of a packed list; `None` at the end.
    pub(crate) fn next_varint(&mut self) -> Result<Option<u64>, ProtobufError> {
        if self.bytes.is_empty() { Ok(None) } else { self.varint().map(Some) }
    }

    fn damaged(&self, what: &'static str) -> ProtobufError {
        ProtobufError::damaged(self.at, what)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let short = self.damaged("they end too early");
        let (head, rest) = self.bytes.split_at_checked(length).ok_or(short)?;
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtobufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let mut number = 0;
        for place in 0..10 {
            let [byte] = self.array()?;
            // Bits beyond the 64th are lost, as in every implementation.
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.damaged("a number has more than ten bytes"))
    }
}

impl<'a> Field<'a> {
    pub(crate) fn bytes(self, at: &str) -> Result<&'a [u8], ProtobufError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(ProtobufError::damaged(at, "counted bytes are expected")),
        }
    }

    pub(crate) fn text(self, at: &str) -> Result<&'a str, ProtobufError> {
        let text = std::str::from_utf8(self.bytes(at)?);
        text.map_err(|_| ProtobufError::damaged(at, "a text is not UTF-8"))
    }

    /// A signed number: protobuf's `int32` and `int64` are the two's complement of 64 bits.
    pub(crate) fn number(self, at: &str) -> Result<i64, ProtobufError> {
        match self {
            Self::Varint(number) => Ok(signed(number)),
            _ => Err(ProtobufError::damaged(at, "a number is expected")),
        }
    }

    pub(crate) fn double(self, at: &str) -> Result<f64, ProtobufError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            Self::Fixed32(bits) => Ok(f64::from(f32::from_bits(bits))),
            _ => Err(ProtobufError::damaged(at, "a number with a fraction is expected")),
        }
    }
}

/// The two's complement.
pub(crate) fn signed(number: u64) -> i64 {
    i64::from_le_bytes(number.to_le_bytes())
}

/// Where bytes go, or where they are only counted.
pub(crate) trait Out: Default {
    /// Whether anything is made of [`Out::begin`].
    const RECORDS: bool = false;

    /// Adds bytes.
    fn extend(&mut self, bytes: &[u8]);

    /// Adds one byte.
    fn push(&mut self, byte: u8);

    /// Begins something whose length will stand before it; what is returned is given to [`Out::close`].
    fn open(&mut self) -> usize;

    /// Ends it: puts its length before it.
    fn close(&mut self, start: usize);

    /// Says what is written up to [`Out::end`]: what stands there in the JSON.
    fn begin(&mut self, _fill: Fill, _json: Range<usize>) {}

    /// Ends that.
    fn end(&mut self) {}
}

impl Out for Vec<u8> {
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn push(&mut self, byte: u8) {
        Self::push(self, byte);
    }

    fn open(&mut self) -> usize {
        // Room for the length of what is short, as nearly everything is.
        Self::push(self, 0);
        self.len()
    }

    fn close(&mut self, start: usize) {
        let end = self.len();
        let (bytes, count) = varint_bytes((end - start) as u64);
        if count > 1 {
            self.resize(end + count - 1, 0);
            self.copy_within(start..end, start + count - 1);
        }
        self[start - 1..start - 1 + count].copy_from_slice(&bytes[..count]);
    }
}

/// How many bytes it would be.
impl Out for usize {
    fn extend(&mut self, bytes: &[u8]) {
        *self += bytes.len();
    }

    fn push(&mut self, _byte: u8) {
        *self += 1;
    }

    fn open(&mut self) -> usize {
        *self
    }

    fn close(&mut self, start: usize) {
        *self += varint_len((*self - start) as u64);
    }
}

/// How many bytes a varint has.
pub(crate) fn varint_len(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Adds a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u64) {
    let (bytes, count) = varint_bytes(number);
    out.extend_from_slice(&bytes[..count]);
}

/// A varint, and how many of these bytes it has.
fn varint_bytes(mut number: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut count) = ([0; 10], 0);
    for byte in &mut bytes {
        count += 1;
        *byte = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, count)
}

/// Writes the fields of one message.
#[derive(Debug, Default)]
pub(crate) struct Writer<O = Vec<u8>> {
    out: O,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Behind what was written before.
    pub(crate) fn behind(out: Vec<u8>) -> Self {
        Self { out }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.out
    }
}

impl<O: Out> Writer<O> {
    /// What was written, or its length.
    pub(crate) fn into_inner(self) -> O {
        self.out
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    pub(crate) fn varint(&mut self, number: u64) {
        match u8::try_from(number) {
            // Nearly all: tags and short lengths.
            Ok(byte) if byte < 0x80 => self.out.push(byte),
            _ => {
                let (bytes, count) = varint_bytes(number);
                self.out.extend(&bytes[..count]);
            }
        }
    }

    pub(crate) fn tag(&mut self, number: u16, wire_type: u64) {
        self.varint(u64::from(number) << 3 | wire_type);
    }

    pub(crate) fn number(&mut self, number: u16, value: i64) {
        self.tag(number, 0);
        self.varint(u64::from_le_bytes(value.to_le_bytes()));
    }

    pub(crate) fn double(&mut self, number: u16, value: f64) {
        self.tag(number, 1);
        self.out.extend(&value.to_bits().to_le_bytes());
    }

    /// The head of a field of this many bytes, which the caller writes.
    pub(crate) fn counted(&mut self, number: u16, len: usize) {
        self.tag(number, 2);
        self.varint(len as u64);
    }

    pub(crate) fn bytes(&mut self, number: u16, bytes: &[u8]) {
        self.counted(number, bytes.len());
        self.out.extend(bytes);
    }

    /// Writes what stands at this place of the JSON, by which some remember it.
    pub(crate) fn slot<T>(
        &mut self,
        (fill, json): (Fill, Range<usize>),
        write: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.out.begin(fill, json);
        let written = write(self);
        self.out.end();
        written
    }

    /// A text, and its place in the JSON if it stands there as it is.
    pub(crate) fn text(&mut self, number: u16, text: &str, place: Option<(Fill, Range<usize>)>) {
        match place {
            None => self.bytes(number, text.as_bytes()),
            Some(place) => {
                self.tag(number, 2);
                self.slot(place, |out| {
                    out.varint(text.len() as u64);
                    out.raw(text.as_bytes());
                });
            }
        }
    }

    /// Begins a message within this one; its length is only known when it is written. To be ended by
    /// [`Writer::close`] with what is returned.
    pub(crate) fn open(&mut self, number: u16) -> usize {
        self.tag(number, 2);
        self.out.open()
    }

    /// Ends a message.
    pub(crate) fn close(&mut self, start: usize) {
        self.out.close(start);
    }

    /// A message within this one.
    pub(crate) fn message<E>(
        &mut self,
        number: u16,
        write: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.open(number);
        write(self)?;
        self.close(start);
        Ok(())
    }
}
