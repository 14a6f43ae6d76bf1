//! Cron jobs.
//!
//! Spec: documentation, "CronJob"; API reference of `CronJobSpec`; KEP-3140 (time zones).

use super::{Errors, Spot, job, schedule};

/// The longest name: what it makes has eleven characters more.
const NAME_MAX: usize = 52;

/// A cron job.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let (when, zone) = (spec.field("schedule"), spec.field("timeZone"));
    if when.is_empty() {
        out.required(&when, "");
    } else if when.text().contains("TZ") {
        out.invalid(&when, "names no time zone (TZ or CRON_TZ): that is what `timeZone` is for");
    } else if let Err(detail) = schedule::check(when.text()) {
        out.invalid(&when, &detail);
    }
    if zone.is_set() && !is_zone(zone.text()) {
        out.invalid(&zone, "must be the name of a time zone, such as Europe/Berlin or Etc/UTC");
    }
    out.at_least(&spec.field("startingDeadlineSeconds"), 0);
    out.one_of_required(&spec.field("concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    out.at_least(&spec.field("successfulJobsHistoryLimit"), 0);
    out.at_least(&spec.field("failedJobsHistoryLimit"), 0);
    let template = spec.field("jobTemplate");
    let inner = template.field("spec");
    let manual = inner.field("manualSelector");
    if manual.is_true() {
        let error = actors_object::FieldError::not_supported(&manual.path(), true, &["false"]);
        out.push(error);
    }
    job::validate_spec(&inner, out);
}

/// A new one has a name that leaves room for those of its jobs.
pub(super) fn validate_new(root: &Spot<'_>, out: &mut Errors) {
    let metadata = root.field("metadata");
    let name = metadata.field("name");
    if name.text().len() > NAME_MAX {
        out.invalid(&name, &format!("must be at most {NAME_MAX} characters"));
    }
}

/// Whether a text can be the name of a time zone. Which ones exist is known to who runs the schedule.
fn is_zone(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    let is_local = text.eq_ignore_ascii_case("local");
    !text.is_empty() && !is_local && !text.starts_with('/') && text.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::validate::testing::check_create;

    fn cron(schedule: &str, more: &str) -> String {
        format!(
            "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: c, namespace: d}}, spec: {{\
             schedule: '{schedule}', {more} jobTemplate: {{spec: {{template: {{spec: {{\
             restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}}}}}}}}}"
        )
    }

    #[test]
    fn the_schedule_can_be_read_and_names_no_zone() {
        check_create(&cron("*/5 * * * *", "timeZone: Europe/Berlin,"), &expect![""]);
        check_create(
            &cron("", ""),
            &expect![[r#"
            spec.schedule: Required value
        "#]],
        );
        check_create(
            &cron("CRON_TZ=UTC 1 * * * *", ""),
            &expect![[r#"
            spec.schedule: Invalid value: "CRON_TZ=UTC 1 * * * *": names no time zone (TZ or CRON_TZ): that is what `timeZone` is for
        "#]],
        );
        check_create(
            &cron("61 * * * *", ""),
            &expect![[r#"
            spec.schedule: Invalid value: "61 * * * *": "61" is no minute of a schedule: it must lie between 0 and 59
        "#]],
        );
        check_create(
            &cron("@daily", "timeZone: Local,"),
            &expect![[r#"
            spec.timeZone: Invalid value: "Local": must be the name of a time zone, such as Europe/Berlin or Etc/UTC
        "#]],
        );
    }

    #[test]
    fn limits_are_not_negative_and_policies_are_words() {
        let more = "startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1, \
             failedJobsHistoryLimit: -1, concurrencyPolicy: Maybe,";
        check_create(
            &cron("@hourly", more),
            &expect![[r#"
            spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0
            spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"
            spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0
            spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0
        "#]],
        );
    }

    #[test]
    fn its_jobs_select_by_themselves_and_end() {
        let manual =
            cron("@hourly", "").replace("spec: {template", "spec: {manualSelector: true, template");
        check_create(
            &manual,
            &expect![[r#"
            spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "false"
        "#]],
        );
        check_create(
            &cron("@hourly", "").replace("Never", "Always"),
            &expect![[r#"
            spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
        "#]],
        );
    }

    #[test]
    fn its_name_leaves_room() {
        let name = "a".repeat(53);
        let long = cron("@hourly", "")
            .replace("{name: c, namespace", &format!("{{name: {name}, namespace"));
        check_create(
            &long,
            &expect![[r#"
            metadata.name: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be at most 52 characters
        "#]],
        );
    }
}
