//! Parts of a service that are seen one by one: a watch, a stream, a connection.
//!
//! Way in: [`PartSpec`], `Service::spawn_part`.  Owns: the label of each part.
//! Invariant: a part that is killed or panics ends alone.  A part is never started again: whoever
//! asked for it asks anew.

use std::sync::Mutex;

use actors_core::Incarnation;
use tokio::sync::Notify;

use crate::{
    fault::Fault,
    meter::Meter,
    observer::{Node, NodeKind, NodeState},
    task::lock,
};

/// What a part of a service is, for people who look at the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSpec {
    /// What it serves, without `/` and `#`: it is listed as `SERVICE/NAME#NUMBER`.
    pub name: String,
    /// Whom it serves, in a few words.
    pub about: String,
}

/// Why a part was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// There are as many as the service may have. The caller tries when others have ended.
    #[error("{path}: {max} parts run already, and no more are allowed")]
    Full {
        /// The service.
        path: String,
        /// Its bound.
        max: usize,
    },
    /// The service is ending. Its next life takes parts again.
    #[error("{path}: the service is ending")]
    Ending {
        /// The service.
        path: String,
    },
}

/// What is known of one part that runs.
#[derive(Debug)]
pub(crate) struct Label {
    name: Box<str>,
    about: Option<Box<str>>,
    /// Whether the service cannot do without it.
    pub(crate) is_piece: bool,
    pub(crate) meter: Meter,
    fault: Mutex<Option<Fault>>,
    told: Notify,
}

impl Label {
    pub(crate) fn new(spec: PartSpec) -> Self {
        let about = (!spec.about.is_empty()).then(|| spec.about.into());
        Self { about, is_piece: false, ..Self::of_piece(spec.name) }
    }

    pub(crate) fn of_piece(name: String) -> Self {
        // A name with these would not be found again by its path.
        let name = if name.contains(['/', '#']) { name.replace(['/', '#'], "-") } else { name };
        Self {
            name: name.into(),
            about: None,
            is_piece: true,
            meter: Meter::default(),
            fault: Mutex::new(None),
            told: Notify::new(),
        }
    }

    pub(crate) fn inject(&self, fault: Fault) {
        *lock(&self.fault) = Some(fault);
        self.told.notify_one();
    }

    /// Resolves when the part is told to fail.
    pub(crate) async fn fault(&self) -> Fault {
        loop {
            if let Some(fault) = lock(&self.fault).take() {
                return fault;
            }
            self.told.notified().await;
        }
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        *self.name == *name
    }

    pub(crate) fn file_name(&self, number: u64) -> String {
        format!("{}#{number}", self.name)
    }

    pub(crate) fn node(&self, service: &str, number: u64) -> Node {
        Node {
            path: format!("{service}/{}", self.file_name(number)),
            address: None,
            kind: NodeKind::Part,
            state: NodeState::Running,
            incarnation: Incarnation(1),
            restarts: 0,
            depth: 0,
            capacity: 0,
            refused: 0,
            busy_us: self.meter.busy_us(),
            processed: self.meter.processed(),
            slow: self.meter.slow(),
            last_exit: None,
            last_crash: None,
            about: self.about.as_deref().map(str::to_owned),
        }
    }
}
