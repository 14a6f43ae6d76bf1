//! Refusals as API servers write them.

use expect_test::{Expect, expect};

use super::*;
use crate::{FieldError, FieldPath, GroupKind, GroupResource, json};

fn check(error: &ApiError, expected: &Expect) {
    let status = error.to_value();
    assert_eq!(ApiError::from_value(&status, 0), *error, "a status must survive a round trip");
    expected.assert_eq(&json::to_string(&status));
}

#[test]
fn refusals_name_what_they_are_about() {
    let deployments = GroupResource::new("apps", "deployments");
    check(
        &ApiError::not_found(&deployments, "web"),
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"web\" not found","reason":"NotFound","details":{"name":"web","group":"apps","kind":"deployments"},"code":404}"#
        ]],
    );
    check(
        &ApiError::forbidden(&GroupResource::new("", "pods"), "", "no"),
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods is forbidden: no","reason":"Forbidden","details":{"kind":"pods"},"code":403}"#
        ]],
    );
    check(
        &ApiError::too_large_resource_version(9, 5),
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: Too large resource version: 9, current: 5","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}"#
        ]],
    );
}

#[test]
fn invalid_objects_list_every_cause() {
    let errors = [
        FieldError::required(&FieldPath::of(&["spec", "selector"]), ""),
        FieldError::invalid(&FieldPath::of(&["spec", "replicas"]), -1, "must be positive"),
    ];
    check(
        &ApiError::invalid(&GroupKind::new("apps", "Deployment"), "web", &errors),
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Deployment.apps \"web\" is invalid: [spec.selector: Required value, spec.replicas: Invalid value: -1: must be positive]","reason":"Invalid","details":{"name":"web","group":"apps","kind":"Deployment","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.selector"},{"reason":"FieldValueInvalid","message":"Invalid value: -1: must be positive","field":"spec.replicas"}]},"code":422}"#
        ]],
    );
}
