//! Deleting many objects: each has its own verdict.

use std::sync::Arc;

use store_catalog::Item;
use store_mvcc::{Expect, Op};

use super::{
    allocate,
    delete::{DeleteOptions, Deletion, mark, plan},
    draft::{Answer, Draft, OnConflict},
};
use crate::{
    Entry, List, Response, ResponseBody, Step,
    read::Selection,
    visit::{Decision, Visit},
};

/// Objects of one proposal; what is beyond is deleted in the next.
const BATCH: usize = 256;

/// Deletes every object that the request selects. The answer lists those of the last batch.
pub(crate) fn delete_collection(visit: &mut Visit<'_>) -> Decision {
    let selection = Selection::of(visit.request, visit.kind)?;
    let options = DeleteOptions { uid: None, ..DeleteOptions::of(visit)? };
    let prefix = visit.prefix();
    let snapshot = visit.snapshot;
    let items = snapshot.list(&prefix, None, usize::MAX).filter(|item| selection.matches(item));
    let mut ops: Vec<Op> = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut more = false;
    for item in items {
        if entries.len() == BATCH {
            more = true;
            break;
        }
        if let Some(entry) = delete_one(visit, item, (&options, &mut ops))? {
            entries.push(entry);
        }
    }
    let list = List {
        api_version: visit.kind.gvk.api_version(),
        kind: visit.kind.list_kind.clone(),
        revision: snapshot.revision(),
        continue_token: None,
        remaining: None,
        entries,
    };
    if ops.is_empty() {
        return Ok(Step::Reply(Response::new(200, ResponseBody::List(list))));
    }
    let draft = Draft {
        ops,
        answer: Answer::Collection { list: Box::new(list), more },
        on_conflict: OnConflict::Again,
        base: None,
        resource: visit.resource(),
        name: String::new(),
        warnings: Vec::new(),
    };
    draft.propose(visit)
}

/// Adds the operations that delete one object; nothing if it is being deleted already.
fn delete_one(
    visit: &mut Visit<'_>,
    item: &Arc<Item>,
    (options, ops): (&DeleteOptions, &mut Vec<Op>),
) -> Result<Option<Entry>, actors_object::ApiError> {
    let old = visit.object(item)?;
    match plan(visit, (item, &old), options)? {
        Deletion::Nothing => return Ok(None),
        Deletion::Mark(marked) => {
            let (op, object) = mark(visit, item, *marked)?;
            ops.push(op);
            return Ok(Some(Entry::Made(Arc::new(object))));
        }
        Deletion::Remove => {}
    }
    let expect = Expect::Revision(item.stored().mod_revision);
    ops.push(Op::Delete { key: item.key().clone(), expect });
    ops.extend(allocate::operations(visit, Some(&old), None));
    Ok(Some(visit.entry(item)))
}
