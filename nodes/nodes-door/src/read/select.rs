//! Selectors of a request, answered from the index columns: nothing is decoded.

use std::sync::Arc;

use actors_kinds::{KindFacts, convert, is_selectable, selectable_fields};
use actors_object::{ApiError, FieldSelector, LabelSelector, Object};
use store_catalog::Item;

use crate::Request;

/// Which objects a request is about.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    /// The kind, where objects must be converted before their fields can be compared.
    converted: Option<Arc<KindFacts>>,
    /// Whether there is nothing that an object is looked at for.
    is_everything: bool,
}

impl Selection {
    /// Reads the selectors of a request.
    ///
    /// # Errors
    /// 400 if one is none, or names a field that the kind does not have.
    pub(crate) fn of(request: &Request, kind: &Arc<KindFacts>) -> Result<Self, ApiError> {
        let options = &request.options;
        let labels = LabelSelector::parse(options.label_selector.as_deref().unwrap_or_default())
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let fields = FieldSelector::parse(options.field_selector.as_deref().unwrap_or_default())
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        for requirement in fields.requirements() {
            if !is_selectable(kind, &requirement.field) {
                let message = format!("field label not supported: {}", requirement.field);
                return Err(ApiError::bad_request(message));
            }
        }
        let converted = convert::is_converted(kind).then(|| Arc::clone(kind));
        let is_everything = labels.is_everything() && fields.is_everything();
        Ok(Self { labels, fields, converted, is_everything })
    }

    /// Whether every object is meant.
    pub(crate) fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// Whether this object is meant.
    pub(crate) fn matches(&self, item: &Item) -> bool {
        if self.is_everything {
            return true;
        }
        if !self.labels.matches(&item.stored().columns.labels) {
            return false;
        }
        if self.fields.is_everything() {
            return true;
        }
        let key = String::from_utf8_lossy(item.key().as_bytes());
        let (path, name) = key.rsplit_once('/').unwrap_or_default();
        let namespace = path.rsplit_once('/').map(|(_, last)| last).unwrap_or_default();
        match &self.converted {
            None => self.fields.matches(|field| match field {
                "metadata.name" => Some(name),
                "metadata.namespace" => Some(namespace),
                other => item.field(other),
            }),
            Some(kind) => {
                let mut object: Object = (*item.object()).clone();
                convert::from_storage(kind, &mut object);
                let known = selectable_fields(kind, &object);
                self.fields.matches(|field| match field {
                    "metadata.name" => Some(name),
                    "metadata.namespace" => Some(namespace),
                    other => {
                        known.iter().find(|(path, _)| path == other).map(|(_, text)| text.as_str())
                    }
                })
            }
        }
    }
}
