//! Storage: classes of volumes, drivers, and what they attach where.
//!
//! Spec: documentation, "storage classes", "volume attributes classes", "storage capacity"; API reference of
//! storage.k8s.io/v1; CSI specification, "GetPluginInfo" (names of drivers).

mod csi_driver;
mod csi_node;
mod csi_storage_capacity;
mod storage_class;
mod volume_attachment;
mod volume_attributes_class;

use actors_object::FieldError;

use super::{Errors, Rules, Spot, text};

const GROUP: &str = "storage.k8s.io";

/// The rules of this group.
pub(super) const RULES: &[Rules] = &[
    csi_driver::RULES,
    csi_node::RULES,
    csi_storage_capacity::RULES,
    storage_class::RULES,
    volume_attachment::RULES,
    volume_attributes_class::RULES,
];

/// The longest name of a driver, in bytes.
const DRIVER_LEN_MAX: usize = 63;
/// The most parameters of a class, and the most bytes of all of them together.
const PARAMETERS_MAX: usize = 512;
const PARAMETERS_LEN_MAX: usize = 256 * 1024;

/// The name of a driver, which must be set.
pub(super) fn validate_driver_name(name: &Spot<'_>, out: &mut Errors) {
    out.check_required(name, driver_name);
    if name.text().len() > DRIVER_LEN_MAX {
        out.push(FieldError::too_long(&name.path(), DRIVER_LEN_MAX));
    }
}

/// What keeps a text from being the name of a driver; capitals are allowed.
pub(super) fn driver_name(name: &str) -> text::Faults {
    text::dns_subdomain(&name.to_ascii_lowercase())
}

/// The name of what makes volumes: with a domain before it, and in capitals if it likes.
fn provisioner(name: &str) -> text::Faults {
    text::qualified_name(&name.to_ascii_lowercase())
}

/// The parameters of a class: not too many of them, and none without a name.
fn validate_parameters(root: &Spot<'_>, out: &mut Errors) {
    let parameters = root.field("parameters");
    if parameters.len() > PARAMETERS_MAX {
        out.push(FieldError::too_long(&parameters.path(), PARAMETERS_MAX));
    }
    let mut len = 0;
    for (name, value) in root.entries("parameters") {
        if name.is_empty() {
            out.push(FieldError::invalid(&parameters.path(), name, "a parameter needs a name"));
        }
        len += name.len() + value.text().len();
    }
    if len > PARAMETERS_LEN_MAX {
        out.push(FieldError::too_long(&parameters.path(), PARAMETERS_LEN_MAX));
    }
}

/// Fields that are said once: volumes exist that were made by them.
fn forbid_changes(new: &Spot<'_>, old: &Spot<'_>, names: &[&str], out: &mut Errors) {
    for name in names {
        out.forbid_change(&new.field(name), &old.field(name), name);
    }
}
