//! What a new object gets that depends on its name and its identity, which defaults do not know.
//!
//! Way in: [`complete_new`].
//! Spec: documentation, "Jobs", "Job labels" and "specifying your own Pod selector".

use actors_object::Object;

use crate::{registry::KindFacts, validate::own_selector};

/// Completes a new object that has its defaults, its name and its uid: a job selects the pods that carry its uid.
pub fn complete_new(kind: &KindFacts, object: &mut Object) {
    let by_hand = object.bool_at(&["spec", "manualSelector"]) == Some(true);
    if !kind.is("batch", "Job") || by_hand || object.spec().as_map().is_none() {
        return;
    }
    let (uid, name) = (object.uid().to_owned(), object.name().to_owned());
    if object.spec().at("selector").is_empty_value() {
        object.set_path(&["spec", "selector"], own_selector(&uid));
    }
    for (label, text) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        // As they were called before 1.27.
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        object.set_path(&["spec", "template", "metadata", "labels", label], text.as_str());
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{Registry, validate::testing::object, validate_create};

    #[test]
    fn a_job_selects_its_pods_by_its_uid() {
        let mut job = object(
            "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: d, uid: u1}, spec: {template: {spec: \
             {restartPolicy: Never, containers: [{name: c, image: i}]}}}}",
        );
        let registry = Registry::builtin().expect("the tables are good");
        let kind = registry.kind_of(&job).expect("served");
        complete_new(kind, &mut job);
        expect![[r#"{"matchLabels":{"batch.kubernetes.io/controller-uid":"u1"}}"#]]
            .assert_eq(&actors_object::json::to_string(job.spec().at("selector")));
        let labels = job.path(&["spec", "template", "metadata", "labels"]).expect("labels");
        expect![[r#"{"batch.kubernetes.io/controller-uid":"u1","batch.kubernetes.io/job-name":"j","controller-uid":"u1","job-name":"j"}"#]].assert_eq(&actors_object::json::to_string(labels));
        assert!(validate_create(kind, &job).is_empty());
    }
}
