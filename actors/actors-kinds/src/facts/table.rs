//! Reads the table's text: packages, types with their fields, resources with their subresources.
//!
//! Way in: [`Table::read`].  Never: a guess; a line that cannot be understood is an error with its number.

use std::collections::BTreeMap;

use actors_object::Gvk;

use super::{
    Alternative, Empty, FieldFacts, ListType, Package, Schema, Shape, TypeFacts, TypeId, beginning,
};

/// A table that cannot be read. The author of the table acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the table")]
pub struct TableError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub problem: TableProblem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableProblem {
    /// A word is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A word that nothing explains.
    #[error("the word {0:?} is not understood")]
    Unknown(String),
    /// A field or subresource without a type or resource above it.
    #[error("there is nothing above that this line could belong to")]
    Orphan,
    /// More types or fields than can be numbered.
    #[error("the table is too large")]
    TooLarge,
}

/// One `resource` line.
#[derive(Debug, Clone)]
pub(crate) struct ResourceRow {
    pub(crate) gvk: Gvk,
    pub(crate) plural: String,
    pub(crate) shape: Shape,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<String>,
    pub(crate) subresources: Vec<SubresourceRow>,
    /// Words after the verbs: the options of the hand-written table, for rows that are added by text.
    pub(crate) options: String,
    /// The line of the text, counted from 1.
    pub(crate) line: usize,
}

/// One line below a `resource`.
#[derive(Debug, Clone)]
pub(crate) struct SubresourceRow {
    pub(crate) name: String,
    pub(crate) gvk: Gvk,
    pub(crate) shape: Shape,
    pub(crate) verbs: Vec<String>,
}

/// What a text says: a schema, extended by its types, and its resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) schema: Schema,
    pub(crate) resources: Vec<ResourceRow>,
}

/// What the indented lines belong to.
enum Above {
    Nothing,
    Type(TypeId),
    Resource,
}

impl Table {
    /// Reads a text on top of a schema whose types it may name.
    pub(crate) fn read(text: &str, schema: Schema) -> Result<Self, TableError> {
        let mut table = Self { schema, resources: Vec::new() };
        let fail = |line: usize| move |problem| TableError { line: line + 1, problem };
        for (number, line) in text.lines().enumerate() {
            if let Some(rest) = line.strip_prefix("type ") {
                table.declare_type(rest).map_err(fail(number))?;
            }
        }
        let mut above = Above::Nothing;
        for (number, line) in text.lines().enumerate() {
            let known = table.resources.len();
            table.read_line(line, &mut above).map_err(fail(number))?;
            if let Some(row) = table.resources.get_mut(known) {
                row.line = number + 1;
            }
        }
        for facts in &mut table.schema.types {
            facts.sort_names();
        }
        Ok(table)
    }

    fn declare_type(&mut self, rest: &str) -> Result<(), TableProblem> {
        let mut words = rest.split_whitespace();
        let name = words.next().ok_or(TableProblem::Missing("the type's name"))?;
        let mut facts = TypeFacts {
            name: name.into(),
            gvk: None,
            atomic: false,
            fields: Vec::new(),
            by_name: Vec::new(),
        };
        for word in words {
            match word {
                "atomic" => facts.atomic = true,
                gvk => facts.gvk = Some(read_gvk(gvk)?),
            }
        }
        let id = u32::try_from(self.schema.types.len()).map_err(|_| TableProblem::TooLarge)?;
        self.schema.by_name.insert(name.into(), TypeId(id));
        self.schema.types.push(facts);
        Ok(())
    }

    fn read_line(&mut self, line: &str, above: &mut Above) -> Result<(), TableProblem> {
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with(' ') {
            return match above {
                Above::Nothing => Err(TableProblem::Orphan),
                Above::Type(id) => self.read_field(*id, line),
                Above::Resource => self.read_subresource(line),
            };
        }
        let (word, rest) = line.split_once(' ').ok_or(TableProblem::Missing("a second word"))?;
        match word {
            "package" => self.read_package(rest),
            "type" => {
                let name = rest.split_whitespace().next().unwrap_or_default();
                let id = self.schema.type_named(name).ok_or(TableProblem::Orphan)?;
                *above = Above::Type(id);
                Ok(())
            }
            "resource" => {
                *above = Above::Resource;
                self.read_resource(rest)
            }
            other => Err(TableProblem::Unknown(other.to_owned())),
        }
    }

    fn read_package(&mut self, rest: &str) -> Result<(), TableProblem> {
        let mut words = rest.split_whitespace();
        let mut next = |what| words.next().map(Box::from).ok_or(TableProblem::Missing(what));
        let package = Package {
            short: next("the short name")?,
            openapi: next("the name in OpenAPI")?,
            proto: next("the protobuf package")?,
        };
        self.schema.packages.push(package);
        Ok(())
    }

    fn read_field(&mut self, id: TypeId, line: &str) -> Result<(), TableProblem> {
        let mut words = line.split_whitespace();
        let name = words.next().ok_or(TableProblem::Missing("the field's name"))?;
        let shape = words.next().ok_or(TableProblem::Missing("the field's type"))?;
        let numbers = words.next().ok_or(TableProblem::Missing("the field's number"))?;
        let mut field = FieldFacts {
            name: name.into(),
            shape: self.read_shape(shape)?,
            numbers: read_numbers(numbers)?,
            required: false,
            empty: Empty::Absent,
            list: ListType::Unsaid,
            keys: Vec::new(),
            patch_merge: false,
            patch_replace: false,
            patch_retain_keys: false,
            merge_key: None,
            atomic: false,
        };
        for word in words {
            read_field_word(word, &mut field)?;
        }
        let at = usize::try_from(id.0).map_err(|_| TableProblem::TooLarge)?;
        let facts = self.schema.types.get_mut(at).ok_or(TableProblem::Orphan)?;
        facts.fields.push(field);
        Ok(())
    }

    fn read_shape(&self, word: &str) -> Result<Shape, TableProblem> {
        if let Some(item) = word.strip_prefix("[]") {
            return Ok(Shape::List(Box::new(self.read_shape(item)?)));
        }
        if let Some(item) = word.strip_prefix("{}") {
            return Ok(Shape::Map(Box::new(self.read_shape(item)?)));
        }
        Ok(match word {
            "string" => Shape::String,
            "int32" => Shape::Int32,
            "int64" => Shape::Int64,
            "double" => Shape::Double,
            "bool" => Shape::Bool,
            "bytes" => Shape::Bytes,
            "time" => Shape::Time,
            "micro-time" => Shape::MicroTime,
            "quantity" => Shape::Quantity,
            "int-or-string" => Shape::IntOrString,
            "any" => Shape::Any,
            "schema-or-bool" => Shape::SchemaOr(Alternative::Bool, self.json_schema()?),
            "schema-or-list" => Shape::SchemaOr(Alternative::List, self.json_schema()?),
            "schema-or-texts" => Shape::SchemaOr(Alternative::Texts, self.json_schema()?),
            name => {
                let unknown = || TableProblem::Unknown(name.to_owned());
                Shape::Object(self.schema.type_named(name).ok_or_else(unknown)?)
            }
        })
    }

    fn json_schema(&self) -> Result<TypeId, TableProblem> {
        let found = self.schema.type_named("apiextensions.v1.JSONSchemaProps");
        found.ok_or(TableProblem::Missing("the type of JSON schemas"))
    }

    fn read_resource(&mut self, rest: &str) -> Result<(), TableProblem> {
        let mut words = rest.split_whitespace();
        let mut next = |what| words.next().ok_or(TableProblem::Missing(what));
        let group = next("the group")?;
        let version = next("the version")?;
        let plural = next("the plural name")?.to_owned();
        let gvk = read_gvk(&format!("{group}/{version}/{}", next("the kind")?))?;
        let shape = self.read_shape(next("the type")?)?;
        let namespaced = match next("the scope")? {
            "namespaced" => true,
            "cluster" => false,
            other => return Err(TableProblem::Unknown(other.to_owned())),
        };
        let verbs = read_list(next("the verbs")?);
        let options = words.collect::<Vec<_>>().join(" ");
        let subresources = Vec::new();
        self.resources.push(ResourceRow {
            gvk,
            plural,
            shape,
            namespaced,
            verbs,
            subresources,
            options,
            line: 0,
        });
        Ok(())
    }

    fn read_subresource(&mut self, line: &str) -> Result<(), TableProblem> {
        let mut words = line.split_whitespace();
        let mut next = |what| words.next().ok_or(TableProblem::Missing(what));
        let row = SubresourceRow {
            name: next("the subresource's name")?.to_owned(),
            gvk: read_gvk(next("the subresource's kind")?)?,
            shape: self.read_shape(next("the subresource's type")?)?,
            verbs: read_list(next("the subresource's verbs")?),
        };
        self.resources.last_mut().ok_or(TableProblem::Orphan)?.subresources.push(row);
        Ok(())
    }
}

impl TypeFacts {
    fn sort_names(&mut self) {
        let mut order: BTreeMap<&str, u16> = BTreeMap::new();
        for (index, field) in self.fields.iter().enumerate() {
            if let Ok(index) = u16::try_from(index) {
                order.insert(&field.name, index);
            }
        }
        self.by_name = order.into_iter().map(|(name, index)| (beginning(name), index)).collect();
    }
}

fn read_field_word(word: &str, field: &mut FieldFacts) -> Result<(), TableProblem> {
    match word.split_once('=') {
        None if word == "required" => field.required = true,
        None if word == "distinct" => field.empty = Empty::Distinct,
        None if word == "shown" => field.empty = Empty::Shown,
        None if word == "atomic" => field.atomic = true,
        Some(("list", "atomic")) => field.list = ListType::Atomic,
        Some(("list", "set")) => field.list = ListType::Set,
        Some(("list", "map")) => field.list = ListType::Map,
        Some(("keys", keys)) => field.keys = keys.split(',').map(Box::from).collect(),
        Some(("patch", strategies)) => {
            for strategy in strategies.split(',') {
                match strategy {
                    "merge" => field.patch_merge = true,
                    "replace" => field.patch_replace = true,
                    "retainKeys" => field.patch_retain_keys = true,
                    _ => return Err(TableProblem::Unknown(word.to_owned())),
                }
            }
        }
        Some(("merge", key)) => field.merge_key = Some(key.into()),
        _ => return Err(TableProblem::Unknown(word.to_owned())),
    }
    Ok(())
}

fn read_numbers(word: &str) -> Result<Vec<u16>, TableProblem> {
    if word == "-" {
        return Ok(Vec::new());
    }
    let unknown = |_| TableProblem::Unknown(word.to_owned());
    word.split('/').map(|number| number.parse().map_err(unknown)).collect()
}

/// `group/version/Kind`, where `core` is the group without a name.
pub(crate) fn read_gvk(word: &str) -> Result<Gvk, TableProblem> {
    let mut parts = word.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(group), Some(version), Some(kind), None) => {
            Ok(Gvk::new(if group == "core" { "" } else { group }, version, kind))
        }
        _ => Err(TableProblem::Unknown(word.to_owned())),
    }
}

fn read_list(words: &str) -> Vec<String> {
    words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
