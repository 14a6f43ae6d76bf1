//! Who has which address: a small file, so that a restart of the agent gives no address twice.
//!
//! Way in: [`AddressBook::open`].  Owns: the file.
//! Invariants: 1. an address has one owner.  2. an address that was freed is given out again as
//! late as possible, so that a connection to a pod that is gone does not reach a new one.
//! Time and order: the file is replaced before an address is used. It is not forced to disk: what a
//! crash of the machine could take from it died with the machine's pods.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use crate::Cidr;

/// What stands in the file in place of an owner; owners are uids, which are longer.
const FREED: &str = "-";

/// The addresses of one node's pods.
#[derive(Debug)]
pub struct AddressBook {
    path: PathBuf,
    range: Cidr,
    owners: BTreeMap<String, Ipv4Addr>,
    /// Free addresses that had an owner, the one that was freed first in front.
    freed: Vec<Ipv4Addr>,
}

/// Why an address cannot be given. The caller tells the user.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// All are taken.
    #[error("all {count} addresses of {range} are taken")]
    Exhausted {
        /// The node's range.
        range: Cidr,
        /// How many pods have one.
        count: usize,
    },
    /// The file cannot be read or written.
    #[error("{what} {}", path.display())]
    File {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl AddressBook {
    /// Reads the file at `path`, or starts an empty book. Lines that are torn or outside of `range`
    /// are left out.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(path: &Path, range: Cidr) -> Result<Self, AddressError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(file_error("cannot read", path, source)),
        };
        let mut book =
            Self { path: path.to_owned(), range, owners: BTreeMap::new(), freed: Vec::new() };
        let mut seen = BTreeSet::new();
        for (address, owner) in text.lines().filter_map(|line| line.split_once(' ')) {
            let Some(address) =
                address.parse().ok().filter(|one| range.contains(*one) && seen.insert(*one))
            else {
                continue;
            };
            match owner {
                FREED => book.freed.push(address),
                _ => drop(book.owners.insert(owner.to_owned(), address)),
            }
        }
        Ok(book)
    }

    /// The node's own address in the range: the first one.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.range.nth(1).unwrap_or(self.range.network())
    }

    /// The address of `owner`.
    #[must_use]
    pub fn get(&self, owner: &str) -> Option<Ipv4Addr> {
        self.owners.get(owner).copied()
    }

    /// All owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        self.owners.keys().map(String::as_str)
    }

    /// The address of `owner`, a new one if it had none.
    ///
    /// # Errors
    /// If none is free, or the file cannot be written; nothing is given then.
    pub fn assign(&mut self, owner: &str) -> Result<Ipv4Addr, AddressError> {
        if let Some(address) = self.get(owner) {
            return Ok(address);
        }
        let taken: BTreeSet<Ipv4Addr> = self.owners.values().copied().collect();
        // Left out are the network's own address, the gateway's, and the broadcast address.
        let places = 2..self.range.size().saturating_sub(1);
        let unused = |one: &Ipv4Addr| !taken.contains(one) && !self.freed.contains(one);
        let fresh = places.filter_map(|place| self.range.nth(place)).find(unused);
        let Some(address) = fresh.or_else(|| self.freed.first().copied()) else {
            return Err(AddressError::Exhausted { range: self.range, count: taken.len() });
        };
        let before = (self.owners.clone(), self.freed.clone());
        self.freed.retain(|one| *one != address);
        self.owners.insert(owner.to_owned(), address);
        self.save().inspect_err(|_| (self.owners, self.freed) = before)?;
        Ok(address)
    }

    /// Frees the address of `owner`.
    ///
    /// # Errors
    /// If the file cannot be written; the address stays taken.
    pub fn release(&mut self, owner: &str) -> Result<(), AddressError> {
        let before = (self.owners.clone(), self.freed.clone());
        let Some(address) = self.owners.remove(owner) else { return Ok(()) };
        self.freed.push(address);
        self.save().inspect_err(|_| (self.owners, self.freed) = before)
    }

    fn save(&self) -> Result<(), AddressError> {
        let mut text = String::new();
        for address in &self.freed {
            text.push_str(&format!("{address} {FREED}\n"));
        }
        for (owner, address) in &self.owners {
            text.push_str(&format!("{address} {owner}\n"));
        }
        let new = self.path.with_extension("new");
        let write = |path: &Path| fs::File::create(path)?.write_all(text.as_bytes());
        write(&new).map_err(|source| file_error("cannot write", &new, source))?;
        fs::rename(&new, &self.path)
            .map_err(|source| file_error("cannot replace", &self.path, source))
    }
}

fn file_error(what: &'static str, path: &Path, source: io::Error) -> AddressError {
    AddressError::File { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
