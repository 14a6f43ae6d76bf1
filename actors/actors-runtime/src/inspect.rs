//! One actor in full, and a way to hold it back: what an operator does while looking for a cause.
//!
//! Way in: `System::show`, `System::suspend`, `System::resume`.
//! Invariant: a suspended actor still obeys its supervisor and kills; its mailbox keeps its policy. A new life is not
//! suspended.

use actors_core::SupervisorNotice;
use serde::{Deserialize, Serialize};

use crate::{
    life::KeyCommand,
    observer::{DeadLetter, Node},
    system::{OrderError, System},
};

/// One actor in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The actor itself.
    pub node: Node,
    /// What is right below it: children, awake keys, parts.
    pub children: Vec<Node>,
    /// Its newest messages that nobody handled, oldest first; at most as many as the whole system keeps.
    pub dead_letters: Vec<DeadLetter>,
}

impl System {
    /// One actor, awake key or part in full.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub fn show(&self, path: &str) -> Result<Details, OrderError> {
        let mut tree = self.tree();
        let at = tree.iter().position(|node| node.path == path);
        let at = at.ok_or_else(|| OrderError::NotFound(path.to_owned()))?;
        let node = tree.swap_remove(at);
        let is_child = |node: &Node| node.path.rsplit_once('/').is_some_and(|(up, _)| up == path);
        tree.retain(is_child);
        tree.sort_by(|one, other| one.path.cmp(&other.path));
        let mut dead_letters = Vec::from(self.dead_letters().recent);
        dead_letters.retain(|letter| letter.path == path);
        Ok(Details { node, children: tree, dead_letters })
    }

    /// Lets a machine, a slab or one awake key handle no messages until [`System::resume`], a stop, or its next life.
    ///
    /// # Errors
    /// [`OrderError::NotFound`]; [`OrderError::WrongKind`] for supervisors, whose children would not be restarted,
    /// and for services and their parts, which have no mailbox.
    pub fn suspend(&self, path: &str) -> Result<(), OrderError> {
        self.set_suspended(path, true)
    }

    /// Lets it go on with what waits for it.
    ///
    /// # Errors
    /// As [`System::suspend`].
    pub fn resume(&self, path: &str) -> Result<(), OrderError> {
        self.set_suspended(path, false)
    }

    fn set_suspended(&self, path: &str, is_suspended: bool) -> Result<(), OrderError> {
        let wrong = || OrderError::WrongKind(path.to_owned());
        match self.registry().by_path(path) {
            Some(_) => {
                let life = self.life_at(path)?;
                let mailbox = life.mailbox().filter(|_| life.children().is_none());
                mailbox.ok_or_else(wrong)?.suspend(is_suspended);
            }
            None => self.command_key(path, KeyCommand::Suspend(is_suspended)).map_err(|error| {
                match self.show(path) {
                    Ok(_) => wrong(),
                    Err(_) => error,
                }
            })?,
        }
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let notice = match is_suspended {
            true => SupervisorNotice::Suspended { name },
            false => SupervisorNotice::Resumed { name },
        };
        self.notify(path, notice);
        Ok(())
    }
}
