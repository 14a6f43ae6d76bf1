//! The formats that texts can have, and how a value is named in a complaint.

use actors_object::Value;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::facts::Shape;

/// Whether a text is base64 with padding; line ends are allowed between.
pub(super) fn is_base64(text: &str) -> bool {
    if !text.contains(['\n', '\r']) {
        return STANDARD.decode(text).is_ok();
    }
    let joined: String = text.chars().filter(|char| !matches!(char, '\n' | '\r')).collect();
    STANDARD.decode(joined).is_ok()
}

/// What was found, as precisely as it helps: a number that is out of range with its digits, a text whose format
/// is wrong with its beginning, otherwise the sort of value. Never what was to be bytes: that may be a secret, and the
/// complaint is logged.
pub(super) fn found(shape: &Shape, value: &Value) -> String {
    let wants_number = matches!(shape, Shape::Int32 | Shape::Int64);
    let wants_format = matches!(shape, Shape::MicroTime | Shape::Quantity | Shape::Time);
    match value {
        Value::Int(number) if wants_number => format!("number {number}"),
        Value::Float(number) if wants_number => format!("number {number}"),
        Value::String(text) if wants_format => {
            let shown: String = text.chars().take(64).collect();
            format!("string {shown:?}")
        }
        Value::Int(_) | Value::Float(_) => "number".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::List(_) => "array".to_owned(),
        Value::Map(_) => "object".to_owned(),
        Value::Null => "null".to_owned(),
    }
}
