//! `starling why`: the last trace of an object, from all machines that remember a part of it.
//!
//! Way in: [`run`].  Spec: `GET /starling/v1/why`, guarded by RBAC as a non-resource URL. Best effort: a machine that was
//! restarted has forgotten.

use nodes_trace::Report;

use crate::{
    Arguments, Caller, Failure, Output, actors::escape, arguments::WhyOptions, client::Client,
    up::known,
};

pub(crate) fn run(
    arguments: &Arguments,
    options: &WhyOptions,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let (kind, name) = match options.object.as_slice() {
        [one] => {
            one.split_once('/').ok_or_else(|| Failure::usage("give KIND/NAME or KIND NAME"))?
        }
        [kind, name] => (kind.as_str(), name.as_str()),
        _ => return Err(Failure::usage("give KIND/NAME or KIND NAME")),
    };
    let client = Client::of(&known(arguments, caller)?)?;
    let all = if options.all { "&all=true" } else { "" };
    let told = client.get(&format!(
        "/starling/v1/why?kind={}&name={}&namespace={}{all}",
        escape(kind),
        escape(name),
        escape(&options.namespace)
    ))?;
    let report: Report = serde_json::from_value(told.clone())
        .map_err(|error| Failure::new(format!("the server answers in another way: {error}")))?;
    output.answer(&report.to_string(), &told)
}
