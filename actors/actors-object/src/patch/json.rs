//! JSON patch: a list of operations, all of which apply or none.
//!
//! Spec: RFC 6902, RFC 6901; the limits are those of API servers.

use crate::{
    ApiError, Reason, Value,
    json::{Limits, to_string, to_vec},
};

/// Most operations in one patch.
const OPERATIONS_MAX: usize = 10_000;

/// Most bytes, as JSON, that all `copy` operations of one patch may add.
const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Why a JSON patch was not applied. The sender is told; retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It is not a JSON patch.
    #[error("error decoding patch: {0}")]
    Malformed(String),
    /// It has too many operations.
    #[error("The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {0}")]
    TooMany(usize),
    /// A `test` did not hold.
    #[error("testing value {0} failed: test failed")]
    Test(String),
    /// It does not fit the object.
    #[error("{0}")]
    Apply(String),
    /// What it makes is too deep or too large.
    #[error("the patch makes an object that is too large: {0}")]
    TooLarge(&'static str),
}

impl From<PatchError> for ApiError {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Malformed(_) => Self::bad_request(error.to_string()),
            PatchError::TooMany(_) | PatchError::TooLarge(_) => Self::too_large(error),
            PatchError::Test(_) | PatchError::Apply(_) => Self {
                code: 422,
                reason: Reason::Invalid,
                message: error.to_string(),
                details: None,
            },
        }
    }
}

/// Applies a JSON patch. On an error the target is unchanged.
///
/// # Errors
/// [`PatchError`], which converts into the refusal that API servers give.
pub fn json_patch(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations =
        patch.as_list().ok_or_else(|| PatchError::Malformed("expected a list".to_owned()))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(PatchError::TooMany(operations.len()));
    }
    let mut changed = target.clone();
    let mut copied = 0;
    for operation in operations {
        apply(&mut changed, operation, &mut copied)?;
    }
    *target = changed;
    Ok(())
}

fn apply(target: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), PatchError> {
    let path = pointer(operation, "path")?;
    match operation.at("op").as_str() {
        Some("add") => add(target, &path, given(operation)?.clone()),
        Some("remove") => remove(target, &path).map(|_| ()),
        Some("replace") => {
            let new = given(operation)?.clone();
            fits(&path, &new)?;
            *find_mut(target, &path)? = new;
            Ok(())
        }
        Some("move") => {
            let from = pointer(operation, "from")?;
            if path.len() > from.len() && path.starts_with(&from) {
                return Err(PatchError::Apply("a value cannot be moved into itself".to_owned()));
            }
            let moved = remove(target, &from)?;
            add(target, &path, moved)
        }
        Some("copy") => {
            let value = find(target, &pointer(operation, "from")?)?.clone();
            *copied += to_vec(&value).len();
            if *copied > COPIED_BYTES_MAX {
                return Err(PatchError::TooLarge("copied values have more than 3 MiB"));
            }
            add(target, &path, value)
        }
        Some("test") => {
            let found = find(target, &path)?;
            let expected = operation.at("value");
            let same = found == expected
                || found.as_f64().is_some() && found.as_f64() == expected.as_f64();
            if same { Ok(()) } else { Err(PatchError::Test(shown(&path))) }
        }
        _ => Err(PatchError::Malformed(format!(
            "unexpected kind of operation: {}",
            to_string(operation.at("op"))
        ))),
    }
}

fn given(operation: &Value) -> Result<&Value, PatchError> {
    operation
        .get("value")
        .ok_or_else(|| PatchError::Malformed("an operation has no value".to_owned()))
}

/// Reads a JSON pointer into its steps.
fn pointer(operation: &Value, field: &str) -> Result<Vec<String>, PatchError> {
    let wrong = |why: &str| PatchError::Malformed(format!("{field}: {why}"));
    let text = operation.at(field).as_str().ok_or_else(|| wrong("expected a JSON pointer"))?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let steps = text.strip_prefix('/').ok_or_else(|| wrong("a JSON pointer starts with '/'"))?;
    Ok(steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

fn shown(path: &[String]) -> String {
    path.iter().map(|step| format!("/{step}")).collect()
}

fn missing(path: &[String]) -> PatchError {
    PatchError::Apply(format!("the path {:?} does not exist", shown(path)))
}

/// The place of an existing item: digits without a leading zero.
fn index(step: &str, len: usize) -> Option<usize> {
    let plain =
        step == "0" || !step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit());
    if plain { step.parse().ok().filter(|at| *at < len) } else { None }
}

fn find<'a>(target: &'a Value, path: &[String]) -> Result<&'a Value, PatchError> {
    let step_into = |value: &'a Value, step: &String| match value {
        Value::Map(map) => map.get(step),
        Value::List(items) => index(step, items.len()).and_then(|at| items.get(at)),
        _ => None,
    };
    path.iter().try_fold(target, step_into).ok_or_else(|| missing(path))
}

fn find_mut<'a>(target: &'a mut Value, path: &[String]) -> Result<&'a mut Value, PatchError> {
    let step_into = |value: &'a mut Value, step: &String| match value {
        Value::Map(map) => map.get_mut(step),
        Value::List(items) => index(step, items.len()).and_then(|at| items.get_mut(at)),
        _ => None,
    };
    path.iter().try_fold(target, step_into).ok_or_else(|| missing(path))
}

fn add(target: &mut Value, path: &[String], new: Value) -> Result<(), PatchError> {
    fits(path, &new)?;
    let Some((last, parents)) = path.split_last() else {
        *target = new;
        return Ok(());
    };
    match find_mut(target, parents).map_err(|_| missing(path))? {
        Value::Map(map) if map.len() >= Limits::MEMBERS && !map.contains_key(last) => {
            Err(PatchError::TooLarge("an object has too many fields"))
        }
        Value::Map(map) => {
            map.insert(last.as_str(), new);
            Ok(())
        }
        Value::List(items) => {
            let end = items.len();
            let at = if last == "-" { Some(end) } else { index(last, end + 1) };
            items.insert(at.ok_or_else(|| missing(path))?, new);
            Ok(())
        }
        _ => Err(missing(path)),
    }
}

fn remove(target: &mut Value, path: &[String]) -> Result<Value, PatchError> {
    let Some((last, parents)) = path.split_last() else {
        return Ok(target.take());
    };
    let removed = match find_mut(target, parents).map_err(|_| missing(path))? {
        Value::Map(map) => map.remove(last),
        Value::List(items) => index(last, items.len()).map(|at| items.remove(at)),
        _ => None,
    };
    removed.ok_or_else(|| missing(path))
}

/// Keeps the tree shallow enough to be walked.
fn fits(path: &[String], new: &Value) -> Result<(), PatchError> {
    if path.len() + new.depth() > Limits::DEPTH {
        return Err(PatchError::TooLarge("nested too deeply"));
    }
    Ok(())
}
