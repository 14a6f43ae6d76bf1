//! How the fields of a kind are owned under server-side apply: list types and keys from the tables.
//!
//! Way in: [`Registry::place`].
//! Spec: Kubernetes documentation, "Server-Side Apply", "Merge strategy".

use actors_object::{
    Value,
    apply::{Form, Key, Place},
};

use crate::{
    facts::{FieldFacts, ListType, Schema, Shape, TypeId},
    registry::{KindFacts, Registry},
};

/// A place in the objects of a kind.
#[derive(Debug, Clone, Copy)]
pub struct KindPlace<'a> {
    schema: &'a Schema,
    here: Here<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Here<'a> {
    /// The root of a kind without a shape of its own: its metadata is everybody's.
    PlainRoot,
    /// An object of a type.
    Type(TypeId),
    /// What a field, an item or an entry holds.
    Shape(&'a Shape, Option<&'a FieldFacts>),
    /// Nothing is known.
    Unknown,
}

impl Registry {
    /// The root of a kind's objects.
    #[must_use]
    pub fn place<'a>(&'a self, kind: &'a KindFacts) -> KindPlace<'a> {
        let here = match &kind.shape {
            Shape::Any => Here::PlainRoot,
            shape => Here::Shape(shape, None),
        };
        KindPlace { schema: self.schema(), here }
    }
}

impl Place for KindPlace<'_> {
    fn form(&self) -> Form {
        let (shape, field) = match self.here {
            Here::PlainRoot | Here::Type(_) => return Form::Fields,
            Here::Unknown => return Form::Unknown,
            Here::Shape(shape, field) => (shape, field),
        };
        let is_atomic = field.is_some_and(|field| field.atomic);
        match shape {
            Shape::Object(id) => {
                let whole = is_atomic || self.schema.facts(*id).is_some_and(|facts| facts.atomic);
                if whole { Form::Whole } else { Form::Fields }
            }
            Shape::Map(_) if !is_atomic => Form::Entries,
            Shape::List(_) => match field.map(|field| (field.list, &field.keys)) {
                Some((ListType::Set, _)) => Form::Set,
                Some((ListType::Map, keys)) => {
                    Form::Keyed(keys.iter().map(|key| key_of(key)).collect())
                }
                _ => Form::Whole,
            },
            _ => Form::Whole,
        }
    }

    fn field(&self, name: &str) -> Self {
        let id = match self.here {
            Here::PlainRoot if name == "metadata" => {
                let metadata = self.schema.type_named("meta.v1.ObjectMeta");
                return self.at(metadata.map_or(Here::Unknown, Here::Type));
            }
            Here::PlainRoot | Here::Unknown => return self.at(Here::Unknown),
            Here::Shape(Shape::Map(value), _) => return self.at(Here::Shape(value, None)),
            Here::Type(id) => id,
            Here::Shape(Shape::Object(id), _) => *id,
            Here::Shape(..) => return self.at(Here::Unknown),
        };
        let field = self.schema.field(id, name);
        self.at(field.map_or(Here::Unknown, |field| Here::Shape(&field.shape, Some(field))))
    }

    fn item(&self) -> Self {
        match self.here {
            Here::Shape(Shape::List(item), _) => self.at(Here::Shape(item, None)),
            _ => self.at(Here::Unknown),
        }
    }
}

impl<'a> KindPlace<'a> {
    fn at(&self, here: Here<'a>) -> Self {
        Self { schema: self.schema, here }
    }
}

/// A key of a list's items. A port without a protocol means TCP.
/// Spec: Kubernetes API reference, `ContainerPort.protocol` and `ServicePort.protocol`.
fn key_of(name: &str) -> Key {
    let default = (name == "protocol").then(|| Value::from("TCP"));
    Key { name: name.into(), default }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_owned_as_the_tables_say() {
        let registry = Registry::builtin().expect("the tables are good");
        let deployments = registry.by_short_name("deploy").expect("deployments are served");
        let root = registry.place(deployments);
        let pod = root.field("spec").field("template").field("spec");
        let containers = pod.field("containers");
        let keys = |form: Form| match form {
            Form::Keyed(keys) => keys.iter().map(|key| key.name.to_string()).collect(),
            _ => Vec::new(),
        };
        assert_eq!(keys(containers.form()), ["name"]);
        assert_eq!(keys(containers.item().field("ports").form()), ["containerPort", "protocol"]);
        assert_eq!(containers.item().field("args").form(), Form::Whole);
        assert_eq!(root.field("metadata").field("labels").form(), Form::Entries);
        assert_eq!(root.field("metadata").field("finalizers").form(), Form::Set);
        assert_eq!(root.field("spec").field("selector").form(), Form::Whole);
        assert_eq!(root.field("spec").field("strategy").form(), Form::Fields);
        assert_eq!(root.field("nothing").form(), Form::Unknown);
    }

    #[test]
    fn a_kind_without_a_shape_has_everybodys_metadata() {
        let registry = Registry::builtin().expect("the tables are good");
        let row = "resource demo.dev v1 widgets Widget any namespaced get\n";
        let registry = registry.with_rows(row).expect("a row");
        let widgets = registry.resource("demo.dev", "v1", "widgets").expect("it is served");
        let root = registry.place(widgets);
        assert_eq!(root.field("metadata").field("finalizers").form(), Form::Set);
        assert_eq!(root.field("spec").form(), Form::Unknown);
    }
}
