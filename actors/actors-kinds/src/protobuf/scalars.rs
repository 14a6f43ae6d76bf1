//! The shapes that are scalars in JSON and messages in protobuf: instants, quantities, numbers or texts.
//!
//! Spec: the messages `Time`, `MicroTime`, `Quantity`, `IntOrString` of Kubernetes' `generated.proto` files.

use actors_core::Wall;
use actors_object::{Value, timefmt};

use super::{
    ProtobufError,
    wire::{Out, Reader, Writer},
};

const NANOS_A_SECOND: i64 = 1_000_000_000;

/// An instant; an empty message is no instant.
pub(super) fn decode_time(
    at: &str,
    bytes: &[u8],
    format: fn(Wall) -> String,
) -> Result<Value, ProtobufError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = Reader::new(bytes, at);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => seconds = field.number(at)?,
            2 => nanos = field.number(at)?,
            _ => {}
        }
    }
    let nanos = seconds.checked_mul(NANOS_A_SECOND).and_then(|whole| whole.checked_add(nanos));
    let wall = nanos.ok_or_else(|| ProtobufError::damaged(at, "an instant too far away"))?;
    Ok(Value::from(format(Wall(wall))))
}

pub(super) fn encode_time(at: &str, value: &Value, out: &mut Writer) -> Result<(), ProtobufError> {
    let text = value.as_str();
    let written = text.and_then(|text| write_time(text, out));
    written.ok_or_else(|| ProtobufError::mismatch(at, "an instant is expected"))
}

/// Nothing if the text is no instant.
pub(super) fn write_time<O: Out>(text: &str, out: &mut Writer<O>) -> Option<()> {
    write_instant(timefmt::parse(text)?.0, out);
    Some(())
}

fn write_instant<O: Out>(nanos: i64, out: &mut Writer<O>) {
    out.number(1, nanos.div_euclid(NANOS_A_SECOND));
    out.number(2, nanos.rem_euclid(NANOS_A_SECOND));
}

/// Adds the fields of an instant.
pub(super) fn put_instant(nanos: i64, out: &mut Vec<u8>) {
    let mut writer = Writer::behind(std::mem::take(out));
    write_instant(nanos, &mut writer);
    *out = writer.into_inner();
}

/// How many bytes [`put_instant`] adds.
pub(super) fn instant_len(nanos: i64) -> usize {
    let mut writer = Writer::<usize>::default();
    write_instant(nanos, &mut writer);
    writer.into_inner()
}

/// A message whose only field is a text.
pub(super) fn decode_quantity(at: &str, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let mut text = "";
    let mut fields = Reader::new(bytes, at);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            text = field.text(at)?;
        }
    }
    Ok(Value::from(text))
}

pub(super) fn encode_quantity(
    at: &str,
    value: &Value,
    out: &mut Writer,
) -> Result<(), ProtobufError> {
    match value {
        Value::String(text) => out.bytes(1, text.as_bytes()),
        Value::Int(number) => out.bytes(1, number.to_string().as_bytes()),
        Value::Float(number) => out.bytes(1, number.to_string().as_bytes()),
        _ => return Err(ProtobufError::mismatch(at, "an amount is expected")),
    }
    Ok(())
}

pub(super) fn decode_int_or_string(at: &str, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut text) = (false, 0, "");
    let mut fields = Reader::new(bytes, at);
    while let Some((field_number, field)) = fields.next()? {
        match field_number {
            1 => is_text = field.number(at)? != 0,
            2 => number = field.number(at)?,
            3 => text = field.text(at)?,
            _ => {}
        }
    }
    Ok(if is_text { Value::from(text) } else { Value::Int(number) })
}

pub(super) fn encode_int_or_string(
    at: &str,
    value: &Value,
    out: &mut Writer,
) -> Result<(), ProtobufError> {
    let (kind, number, text) = match value {
        Value::Int(number) => (0, *number, ""),
        Value::String(text) => (1, 0, text.as_str()),
        _ => return Err(ProtobufError::mismatch(at, "a number or a text is expected")),
    };
    write_int_or_string(kind, number, text, out);
    Ok(())
}

/// `kind` is 0 for a number, 1 for a text.
pub(super) fn write_int_or_string<O: Out>(kind: i64, number: i64, text: &str, out: &mut Writer<O>) {
    out.number(1, kind);
    out.number(2, number);
    out.bytes(3, text.as_bytes());
}
