//! Whose a token is: `TokenReview`.
//!
//! Way in: [`ask`]; the server verifies the signature and hands the claims to [`TokenQuestion::finish`].
//! Spec: Kubernetes API reference, `authentication.k8s.io/v1 TokenReview`.

use std::{fmt, sync::Arc};

use actors_object::{ApiError, FieldError, FieldPath, Object, Value, value};
use store_catalog::Snapshot;

use super::{answered, user_info};
use crate::{
    Entry, Identity, Response, ResponseBody, Step,
    bootstrap_token::bootstrap_identity,
    token_identity,
    visit::{Decision, Visit},
};

/// A token whose signature must be verified before the review can be answered.
#[derive(Clone)]
pub struct TokenQuestion {
    /// The token. Secret.
    pub token: String,
    /// For whom it must be meant: at least one of them.
    pub audiences: Vec<String>,
    review: Object,
}

pub(super) fn ask(visit: &mut Visit<'_>, mut review: Object) -> Decision {
    let token = review.str_at(&["spec", "token"]).unwrap_or_default().to_owned();
    if token.is_empty() {
        let path = FieldPath::of(&["spec", "token"]);
        let error = FieldError::required(&path, "");
        return Err(ApiError::invalid(&visit.group_kind(), "", &[error]));
    }
    let listed = review.list_at(&["spec", "audiences"]).iter().filter_map(Value::as_str);
    let mut audiences: Vec<String> = listed.map(str::to_owned).collect();
    if audiences.is_empty() {
        audiences.push(visit.door.config.issuer.clone());
    }
    // A token of this form is nobody's signature: the cluster's Secrets say whose it is.
    if let Some(who) = bootstrap_identity(&token, visit.snapshot, visit.now.wall) {
        let own = audiences.contains(&visit.door.config.issuer);
        let meant = own.then(|| vec![visit.door.config.issuer.clone()]);
        let told = match meant {
            Some(audiences) => known(&who, &audiences),
            None => unknown("the token is meant for another audience"),
        };
        review.set_status(told);
        return answered(visit, review);
    }
    Ok(Step::Verify(Box::new(TokenQuestion { token, audiences, review })))
}

impl TokenQuestion {
    /// The answer. `verified` are the claims of the token if its signature, its time and its audience are good, or
    /// why not.
    #[must_use]
    pub fn finish(mut self, verified: Result<Value, String>, snapshot: &Snapshot) -> Response {
        let status = match &verified {
            Ok(claims) => match token_identity(claims, snapshot) {
                Some(who) => {
                    let meant = claims.list_at(&["aud"]).iter().filter_map(Value::as_str);
                    let meant: Vec<String> = meant
                        .filter(|text| self.audiences.iter().any(|one| one == text))
                        .map(str::to_owned)
                        .collect();
                    known(&who, &meant)
                }
                None => unknown("what the token is bound to is gone"),
            },
            Err(why) => unknown(why),
        };
        self.review.set_status(status);
        self.review.metadata_mut().insert("creationTimestamp", Value::Null);
        Response::new(201, ResponseBody::Entry(Entry::Made(Arc::new(self.review))))
    }
}

impl fmt::Debug for TokenQuestion {
    /// The token is never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenQuestion").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

fn known(who: &Identity, audiences: &[String]) -> Value {
    let audiences: Vec<String> = audiences.to_vec();
    value!({ "authenticated": true, "user": user_info(who), "audiences": audiences })
}

fn unknown(why: &str) -> Value {
    value!({ "user": {}, "error": why })
}
