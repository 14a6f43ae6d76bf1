//! The query string, and the options in a DELETE's body, as the door's options.
//!
//! Way in: [`Query::parse`].  Spec: Kubernetes API reference, "Common parameters" and "DeleteOptions".

use std::{fmt::Display, time::Duration};

use actors_kinds::{
    Registry,
    protobuf::{self, Envelope},
};
use actors_object::{ApiError, Map, Value, json, span, yaml};
use bytes::Bytes;
use nodes_door::{FieldValidation, Media, Options};

/// The longest time that a request may take which is no stream: upstream's default.
pub(crate) const REQUEST_MAX: Duration = Duration::from_secs(60);

/// The pairs of a query string, decoded, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Splits and percent-decodes (with `+` as a space, as HTML forms write it).
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self { pairs: pairs.collect() }
    }

    /// The first value of a name; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let found = self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        found.filter(|value| !value.is_empty())
    }

    /// Whether a name stands there, with or without a value: `?verbose`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// All values of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// A truth value in any case, since Python's clients say `True`; what is neither is refused.
    pub(crate) fn truth(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(bad(name, &text, "must be true or false")),
        }
    }

    /// A whole number, not negative.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |text: String| {
            text.parse().map_err(|_| bad(name, &text, "must be a number, 0 or more"))
        };
        self.text(name).map(parse).transpose()
    }

    /// How long the request may take: what the client says, and never more than [`REQUEST_MAX`].
    /// Spec: Kubernetes API reference, kube-apiserver's `--request-timeout`; client-go sends `timeout` for kubectl's
    /// `--request-timeout`.
    pub(crate) fn patience(&self) -> Result<Duration, ApiError> {
        let Some(text) = self.text("timeout") else { return Ok(REQUEST_MAX) };
        let span = span::parse(&text)
            .ok_or_else(|| bad("timeout", &text, "must be a span of time as in 30s or 1m30s"))?;
        // Nought means that the client does not say.
        Ok(if span.is_zero() { REQUEST_MAX } else { span.min(REQUEST_MAX) })
    }

    /// The door's options.
    pub(crate) fn options(&self) -> Result<Options, ApiError> {
        let dry_run = self.all("dryRun");
        if let Some(other) = dry_run.iter().find(|value| *value != "All") {
            return Err(bad("dryRun", other, "the only supported value is All"));
        }
        let grace = self.text("gracePeriodSeconds").map(|text| {
            text.parse::<i64>()
                .map_err(|_| bad("gracePeriodSeconds", &text, "must be a whole number"))
        });
        Ok(Options {
            dry_run: !dry_run.is_empty(),
            field_manager: self.text("fieldManager"),
            field_validation: match self.text("fieldValidation").as_deref() {
                None | Some("Warn") => FieldValidation::Warn,
                Some("Strict") => FieldValidation::Strict,
                Some("Ignore") => FieldValidation::Ignore,
                Some(other) => {
                    return Err(bad("fieldValidation", other, "must be Ignore, Warn or Strict"));
                }
            },
            force: self.truth("force")?.unwrap_or(false),
            label_selector: self.text("labelSelector"),
            field_selector: self.text("fieldSelector"),
            resource_version: self.text("resourceVersion"),
            resource_version_match: self.text("resourceVersionMatch"),
            limit: self.number("limit")?.filter(|limit| *limit > 0),
            continue_token: self.text("continue"),
            propagation_policy: self.text("propagationPolicy"),
            grace_period_seconds: grace.transpose()?,
            timeout_seconds: self.number("timeoutSeconds")?,
            allow_bookmarks: self.truth("allowWatchBookmarks")?.unwrap_or(false),
            send_initial_events: self.truth("sendInitialEvents")?,
            ..Options::default()
        })
    }
}

/// A DELETE's body as a tree; an empty body says nothing.
pub(crate) fn delete_options(
    media: Media,
    body: &Bytes,
    registry: &Registry,
) -> Result<Value, ApiError> {
    let bad = |error: &dyn Display| {
        ApiError::bad_request(format!("the body is no DeleteOptions: {error}"))
    };
    if media == Media::Protobuf {
        let envelope = Envelope::open(body).map_err(|error| bad(&error))?;
        let shape = registry.shape_named("meta.v1.DeleteOptions");
        return protobuf::decode(registry.schema(), &shape, &envelope.raw)
            .map_err(|error| bad(&error));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Map(Map::default()));
    }
    let limits = json::Limits::default();
    let parsed =
        if media == Media::Yaml { yaml::parse(body, limits) } else { json::parse(body, limits) };
    parsed.map(|parsed| parsed.value).map_err(|error| bad(&error))
}

/// What a DELETE's body says overrides the query.
pub(crate) fn merge_delete_options(options: &mut Options, given: &Value) -> Result<(), ApiError> {
    let text = |path: &[&str]| given.str_at(path).map(str::to_owned);
    options.propagation_policy = text(&["propagationPolicy"]).or(options.propagation_policy.take());
    options.precondition_uid = text(&["preconditions", "uid"]);
    options.precondition_resource_version = text(&["preconditions", "resourceVersion"]);
    options.grace_period_seconds =
        given.i64_at(&["gracePeriodSeconds"]).or(options.grace_period_seconds);
    options.dry_run |= given.list_at(&["dryRun"]).iter().any(|value| value.as_str() == Some("All"));
    if given.at("orphanDependents").as_bool() == Some(true) {
        options.propagation_policy = Some("Orphan".to_owned());
    }
    match given {
        Value::Map(_) => Ok(()),
        _ => Err(ApiError::bad_request("the body is no DeleteOptions: an object is expected")),
    }
}

fn bad(name: &str, value: &str, rule: &str) -> ApiError {
    ApiError::bad_request(format!("query parameter {name}: Invalid value: {value:?}: {rule}"))
}

/// Percent-decodes; what is not UTF-8 afterwards is replaced, so that it matches nothing.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match (byte, hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (plain, _) => out.push(*plain),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_options_and_a_wrong_value_names_its_parameter() {
        let query = Query::parse(
            "labelSelector=app%3Dweb%2Ctier+in+%28a%29&limit=5&watch=true&command=a&command=b",
        );
        let options = query.options().expect("options");
        assert_eq!(options.label_selector.as_deref(), Some("app=web,tier in (a)"));
        assert_eq!((options.limit, query.truth("watch")), (Some(5), Ok(Some(true))));
        assert_eq!(query.all("command"), ["a", "b"]);
        assert_eq!(Query::parse("watch=True").truth("watch"), Ok(Some(true)));
        assert_eq!(Query::parse("watch=False").truth("watch"), Ok(Some(false)));
        for wrong in
            ["limit=x", "dryRun=Some", "fieldValidation=no", "watch=maybe&force=maybe", "limit=-1"]
        {
            let error = Query::parse(wrong).options().expect_err(wrong);
            assert_eq!(error.code, 400, "{wrong}");
            assert!(error.message.starts_with("query parameter "), "{}", error.message);
        }
    }

    #[test]
    fn a_broken_escape_is_kept_as_it_is() {
        assert_eq!(decode("a%2"), "a%2");
        assert_eq!(decode("%zz%41"), "%zzA");
    }

    #[test]
    fn a_request_lasts_as_long_as_its_client_says_and_a_minute_at_most() {
        let patience = |text: &str| Query::parse(text).patience().map_err(|error| error.message);
        assert_eq!(patience("timeout=5s"), Ok(Duration::from_secs(5)));
        assert_eq!(patience("timeout=1m30s"), Ok(REQUEST_MAX));
        assert_eq!(patience("timeout=0s"), Ok(REQUEST_MAX));
        assert_eq!(patience("limit=5"), Ok(REQUEST_MAX));
        let refused = patience("timeout=5").expect_err("no unit");
        assert!(refused.contains("timeout") && refused.contains("30s"), "{refused}");
    }

    #[test]
    fn the_body_of_a_delete_overrides_its_query() {
        let mut options = Query::parse("propagationPolicy=Orphan&gracePeriodSeconds=9")
            .options()
            .expect("options");
        let body =
            br#"{"propagationPolicy":"Foreground","preconditions":{"uid":"u"},"dryRun":["All"]}"#;
        let registry = Registry::builtin().expect("the tables are good");
        let given = delete_options(Media::Json, &Bytes::from_static(body), &registry);
        merge_delete_options(&mut options, &given.expect("read")).expect("merged");
        assert_eq!(options.propagation_policy.as_deref(), Some("Foreground"));
        assert_eq!((options.grace_period_seconds, options.dry_run), (Some(9), true));
        assert_eq!(options.precondition_uid.as_deref(), Some("u"));
        let broken = delete_options(Media::Json, &Bytes::from_static(b"[1"), &registry);
        assert!(broken.is_err());
    }
}
