//! One constructor for each sort of refusal, with the wording of API servers.

use super::{ApiError, Cause, Details, Reason};
use crate::{FieldError, GroupKind, GroupResource};

impl ApiError {
    fn plain(code: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        let details = self.details.get_or_insert_default();
        details.group.clone_from(&resource.group);
        details.kind.clone_from(&resource.resource);
        name.clone_into(&mut details.name);
        self
    }

    /// 400: the request itself is malformed.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::plain(400, Reason::BadRequest, message)
    }

    /// 401: who asks is not known.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::plain(401, Reason::Unauthorized, message)
    }

    /// 403: who asks may not do this, or the object may not be changed so.
    #[must_use]
    pub fn forbidden(resource: &GroupResource, name: &str, why: impl std::fmt::Display) -> Self {
        let message = match (resource.resource.as_str(), name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{resource} is forbidden: {why}"),
            _ => format!("{resource} {name:?} is forbidden: {why}"),
        };
        Self::plain(403, Reason::Forbidden, message).about(resource, name)
    }

    /// 404: there is no such object.
    #[must_use]
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::plain(404, Reason::NotFound, format!("{resource} {name:?} not found"))
            .about(resource, name)
    }

    /// 404: there is no such path or resource.
    #[must_use]
    pub fn no_such_resource() -> Self {
        let error =
            Self::plain(404, Reason::NotFound, "the server could not find the requested resource");
        Self { details: Some(Box::default()), ..error }
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed(resource: &GroupResource, verb: &str) -> Self {
        let message =
            format!("{verb} is not supported on resources of kind {:?}", resource.to_string());
        Self::plain(405, Reason::MethodNotAllowed, message).about(resource, "")
    }

    /// 406: none of the forms that the client accepts can be served.
    #[must_use]
    pub fn not_acceptable(accepted: &str) -> Self {
        let message = format!("the answer is available as {accepted} only");
        Self::plain(406, Reason::NotAcceptable, message)
    }

    /// 409: the name is taken.
    #[must_use]
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {name:?} already exists");
        Self::plain(409, Reason::AlreadyExists, message).about(resource, name)
    }

    /// 409: the object changed meanwhile, or is not the one that was meant.
    #[must_use]
    pub fn conflict(resource: &GroupResource, name: &str, why: impl std::fmt::Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Self::plain(409, Reason::Conflict, message).about(resource, name)
    }

    /// 410: the revision is no longer kept.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::plain(410, Reason::Expired, message)
    }

    /// 413: the body is too large.
    #[must_use]
    pub fn too_large(why: impl std::fmt::Display) -> Self {
        let message = format!("Request entity too large: {why}");
        Self::plain(413, Reason::RequestEntityTooLarge, message)
    }

    /// 415: the body's form is not understood.
    #[must_use]
    pub fn unsupported_media_type(accepted: &str) -> Self {
        let message =
            format!("the body has a media type that is not supported; supported are: {accepted}");
        Self::plain(415, Reason::UnsupportedMediaType, message)
    }

    /// 422: the object breaks rules, each named with its field.
    #[must_use]
    pub fn invalid(kind: &GroupKind, name: &str, errors: &[FieldError]) -> Self {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes = errors.iter().map(|error| Cause {
            reason: error.kind.reason().to_owned(),
            message: error.body(),
            field: error.path.to_string(),
        });
        let details = Details {
            name: name.to_owned(),
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            causes: causes.collect(),
            ..Details::default()
        };
        let message = format!("{kind} {name:?} is invalid: {list}");
        Self { details: Some(Box::new(details)), ..Self::plain(422, Reason::Invalid, message) }
    }

    /// 429: too many at once; try again.
    #[must_use]
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::plain(429, Reason::TooManyRequests, message).retry_after(retry_after_seconds)
    }

    /// 500: our own fault.
    #[must_use]
    pub fn internal(why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self::plain(500, Reason::InternalError, format!("Internal error occurred: {why}"))
            .with_cause("", why, "")
    }

    /// 503: the cluster cannot answer now.
    #[must_use]
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::plain(503, Reason::ServiceUnavailable, message)
    }

    /// 504: it took too long; whether it happened is not known.
    #[must_use]
    pub fn timeout(why: impl std::fmt::Display, retry_after_seconds: u32) -> Self {
        Self::plain(504, Reason::Timeout, format!("Timeout: {why}"))
            .retry_after(retry_after_seconds)
    }

    /// 504: the client asks for a revision that this server has not reached.
    #[must_use]
    pub fn too_large_resource_version(asked: u64, current: u64) -> Self {
        Self::timeout(format!("Too large resource version: {asked}, current: {current}"), 1)
            .with_cause("ResourceVersionTooLarge", "Too large resource version", "")
    }
}
