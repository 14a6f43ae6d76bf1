//! Joins the facts with the hand-written table: which resources are served, and what is special about them.

use actors_object::GroupResource;

use super::{KindFacts, Subresource, plain_kind};
use crate::facts::{ResourceRow, SubresourceRow, TableError, TableProblem};

/// The kinds that `served` names, in its order, out of `rows`.
pub(super) fn select(served: &str, rows: &[ResourceRow]) -> Result<Vec<KindFacts>, TableError> {
    let mut kinds = Vec::new();
    for (number, line) in served.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let kind = select_one(line, rows);
        kinds.push(kind.map_err(|problem| TableError { line: number + 1, problem })?);
    }
    Ok(kinds)
}

fn select_one(line: &str, rows: &[ResourceRow]) -> Result<KindFacts, TableProblem> {
    let mut words = line.split_whitespace();
    let group_version = words.next().unwrap_or_default();
    let (group, version) =
        group_version.split_once('/').ok_or(TableProblem::Missing("the version"))?;
    let group = if group == "core" { "" } else { group };
    let plural = words.next().ok_or(TableProblem::Missing("the plural name"))?;
    let row = rows
        .iter()
        .find(|row| row.gvk.group == group && row.gvk.version == version && row.plural == plural)
        .ok_or_else(|| TableProblem::Unknown(format!("{group_version} {plural}")))?;
    let mut kind = plain_kind(row);
    words.try_for_each(|word| apply_word(word, row, &mut kind))?;
    Ok(kind)
}

/// A kind from a row that carries its words itself; all its subresources are served.
pub(super) fn from_row(row: &ResourceRow) -> Result<KindFacts, TableError> {
    let mut kind = plain_kind(row);
    row.subresources.iter().for_each(|sub| add_subresource(sub, &mut kind));
    row.options
        .split_whitespace()
        .try_for_each(|word| apply_word(word, row, &mut kind))
        .map_err(|problem| TableError { line: row.line, problem })?;
    Ok(kind)
}

fn apply_word(word: &str, row: &ResourceRow, kind: &mut KindFacts) -> Result<(), TableProblem> {
    let list = |words: &str| words.split(',').map(str::to_owned).collect();
    let unknown = || TableProblem::Unknown(word.to_owned());
    match word.split_once('=') {
        Some(("short", names)) => kind.short_names = list(names),
        Some(("categories", names)) => kind.categories = list(names),
        Some(("stored", place)) => {
            let (group, plural) = place.split_once('/').ok_or_else(unknown)?;
            let group = if group == "core" { "" } else { group };
            kind.storage = GroupResource { group: group.to_owned(), resource: plural.to_owned() };
        }
        Some(("sub", names)) => {
            for name in names.split(',') {
                let sub =
                    row.subresources.iter().find(|sub| sub.name == name).ok_or_else(unknown)?;
                add_subresource(sub, kind);
            }
        }
        None if word == "generation" => kind.strategy.generation = true,
        None if word == "graceful" => kind.strategy.graceful_delete = true,
        None if word == "create-on-update" => kind.strategy.create_on_update = true,
        None if word == "conditional" => kind.strategy.unconditional_update = false,
        _ => return Err(unknown()),
    }
    Ok(())
}

fn add_subresource(row: &SubresourceRow, kind: &mut KindFacts) {
    kind.strategy.status |= row.name == "status";
    kind.subresources.push(Subresource {
        name: row.name.clone(),
        gvk: row.gvk.clone(),
        shape: row.shape.clone(),
        verbs: row.verbs.clone(),
    });
    kind.subresources.sort_by(|one, other| one.name.cmp(&other.name));
}
