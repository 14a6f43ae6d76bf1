//! Why a request was refused: `metav1.Status` as a value.
//!
//! Way in: [`ApiError`].  Spec: Kubernetes API conventions, "response status kind"; messages as API
//! servers word them, because clients show and sometimes read them.

mod encode;
mod make;

use std::fmt;

/// A refusal with its HTTP code, its reason, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
    /// What it is about; boxed because errors travel through every `Result`.
    pub details: Option<Box<Details>>,
}

/// What a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The group of the resource or kind.
    pub group: String,
    /// The resource (or, for invalid objects, the kind).
    pub kind: String,
    /// The object's uid.
    pub uid: String,
    /// One entry for each thing that is wrong.
    pub causes: Vec<Cause>,
    /// When to try again.
    pub retry_after_seconds: u32,
    /// Where an expired list can go on, with what is there now; stands in the status's metadata.
    pub continue_token: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    /// The machine-readable reason: `FieldValueInvalid`.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// The path of the field; may be empty.
    pub field: String,
}

/// `metav1.StatusReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// None is known.
    Unknown,
    /// 401: who asks is not known.
    Unauthorized,
    /// 403: who asks may not do this.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the name is taken.
    AlreadyExists,
    /// 409: the object changed meanwhile.
    Conflict,
    /// 410: it was there and is gone for good.
    Gone,
    /// 422: the object breaks a rule.
    Invalid,
    /// 500 or 504: try again.
    ServerTimeout,
    /// 504: it took too long.
    Timeout,
    /// 429.
    TooManyRequests,
    /// 400: the request itself is malformed.
    BadRequest,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 500.
    InternalError,
    /// 410: the revision is no longer kept.
    Expired,
    /// 503.
    ServiceUnavailable,
}

impl Reason {
    const ALL: [Self; 18] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::Gone,
        Self::Invalid,
        Self::ServerTimeout,
        Self::Timeout,
        Self::TooManyRequests,
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestEntityTooLarge,
        Self::UnsupportedMediaType,
        Self::InternalError,
        Self::Expired,
        Self::ServiceUnavailable,
    ];

    /// The text of `Status.reason`; empty for [`Reason::Unknown`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Invalid => "Invalid",
            Self::ServerTimeout => "ServerTimeout",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "TooManyRequests",
            Self::BadRequest => "BadRequest",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::InternalError => "InternalError",
            Self::Expired => "Expired",
            Self::ServiceUnavailable => "ServiceUnavailable",
        }
    }

    /// The reason that `Status.reason` names.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).unwrap_or(Self::Unknown)
    }
}

impl ApiError {
    /// Whether this says that the object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason == Reason::NotFound
    }

    /// Whether this says that the object changed meanwhile.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.reason == Reason::Conflict
    }

    /// Whether this says that the name is taken.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.reason == Reason::AlreadyExists
    }

    /// Whether the revision is no longer kept, so that the client must list again.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        matches!(self.reason, Reason::Expired | Reason::Gone)
    }

    /// Adds one cause.
    #[must_use]
    pub fn with_cause(mut self, reason: &str, message: impl Into<String>, field: &str) -> Self {
        let cause =
            Cause { reason: reason.to_owned(), message: message.into(), field: field.to_owned() };
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests;
