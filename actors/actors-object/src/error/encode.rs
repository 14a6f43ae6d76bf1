//! A refusal as `metav1.Status`, and back.

use super::{ApiError, Cause, Details, Reason};
use crate::{Map, Value, value};

impl ApiError {
    /// The `Status` object that says this.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut status = Map::new();
        status.insert("kind", "Status");
        status.insert("apiVersion", "v1");
        let mut metadata = Map::new();
        if let Some(details) = &self.details {
            insert_text(&mut metadata, "continue", &details.continue_token);
        }
        status.insert("metadata", metadata);
        status.insert("status", "Failure");
        insert_text(&mut status, "message", &self.message);
        insert_text(&mut status, "reason", self.reason.as_str());
        if let Some(details) = &self.details {
            status.insert("details", details.to_value());
        }
        status.insert("code", self.code);
        Value::Map(status)
    }

    /// Reads a `Status` object; `code` is the HTTP code that it came with.
    #[must_use]
    pub fn from_value(status: &Value, code: u16) -> Self {
        let number = status.at("code").as_i64().and_then(|number| u16::try_from(number).ok());
        Self {
            code: number.unwrap_or(code),
            reason: Reason::parse(status.at("reason").as_str().unwrap_or_default()),
            message: status.at("message").as_str().unwrap_or_default().to_owned(),
            details: status.get("details").map(|details| {
                let token = status.str_at(&["metadata", "continue"]).unwrap_or_default();
                Box::new(Details {
                    continue_token: token.to_owned(),
                    ..Details::from_value(details)
                })
            }),
        }
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        insert_text(&mut map, "name", &self.name);
        insert_text(&mut map, "group", &self.group);
        insert_text(&mut map, "kind", &self.kind);
        insert_text(&mut map, "uid", &self.uid);
        if !self.causes.is_empty() {
            map.insert("causes", self.causes.iter().map(Cause::to_value).collect::<Value>());
        }
        if self.retry_after_seconds > 0 {
            map.insert("retryAfterSeconds", self.retry_after_seconds);
        }
        Value::Map(map)
    }

    fn from_value(details: &Value) -> Self {
        let text = |name: &str| details.at(name).as_str().unwrap_or_default().to_owned();
        let retry =
            details.at("retryAfterSeconds").as_i64().and_then(|number| u32::try_from(number).ok());
        Self {
            name: text("name"),
            group: text("group"),
            kind: text("kind"),
            uid: text("uid"),
            causes: details.list_at(&["causes"]).iter().map(Cause::from_value).collect(),
            retry_after_seconds: retry.unwrap_or(0),
            continue_token: String::new(),
        }
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        insert_text(&mut map, "reason", &self.reason);
        insert_text(&mut map, "message", &self.message);
        insert_text(&mut map, "field", &self.field);
        Value::Map(map)
    }

    fn from_value(cause: &Value) -> Self {
        let text = |name: &str| cause.at(name).as_str().unwrap_or_default().to_owned();
        Self { reason: text("reason"), message: text("message"), field: text("field") }
    }
}

fn insert_text(map: &mut Map, name: &str, text: &str) {
    if !text.is_empty() {
        map.insert(name, value!(text));
    }
}
