//! Many stored objects as messages, most of which are of few makes.
//!
//! Way in: [`Stencils::len`], [`Stencils::write`].  Owns: a few stencils.
//! Bounds: [`KEPT_MAX`] stencils of objects of at most [`JSON_MAX`] bytes. Where every object is of its own make, nearly
//! none is compared in vain.

use super::{
    Canonical, direct,
    stencil::{Found, Stencil},
};
use crate::facts::{Schema, Shape};

/// Most stencils at a time.
const KEPT_MAX: usize = 4;

/// Larger objects are read and written one by one.
const JSON_MAX: usize = 64 * 1024;

/// So many objects in a row that fit nothing are borne.
const PATIENCE: u32 = 8;

/// So many are passed over then, before another one is tried.
const REST: u32 = 64;

/// Writes many objects one after the other, or says how long they are. The same as [`super::transcode`] and
/// [`super::transcoded_len`] of each: a list's pods differ in a few texts only, and the rest of them is not read again.
#[derive(Debug, Default)]
pub struct Stencils {
    /// The one that fitted last is the first.
    kept: Vec<Stencil>,
    misses: u32,
    rest: u32,
    found: Vec<Found>,
    lens: Vec<usize>,
}

impl Stencils {
    /// How many bytes an object's message has; `of` says what it is, and is asked only where nothing fits. Nothing if it
    /// cannot be written without its tree.
    #[must_use]
    pub fn len<'s>(
        &mut self,
        stored: Canonical<'_>,
        of: impl FnOnce() -> Option<(&'s Schema, &'s Shape)>,
    ) -> Option<usize> {
        if !self.fits(stored) {
            let (schema, shape) = of()?;
            if !self.begin(schema, shape, stored) {
                return direct::write(schema, shape, stored);
            }
        }
        let stencil = self.kept.first()?;
        Some(stencil.len(stored, &self.found, &mut self.lens))
    }

    /// Adds an object's message to what was written; nothing as with [`Stencils::len`], and nothing was added then.
    #[must_use]
    pub fn write<'s>(
        &mut self,
        stored: Canonical<'_>,
        of: impl FnOnce() -> Option<(&'s Schema, &'s Shape)>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        if !self.fits(stored) {
            let (schema, shape) = of()?;
            if !self.begin(schema, shape, stored) {
                out.extend(direct::write::<Vec<u8>>(schema, shape, stored)?);
                return Some(());
            }
        }
        let stencil = self.kept.first()?;
        out.reserve(stencil.len(stored, &self.found, &mut self.lens));
        stencil.write(stored, (&self.found, &self.lens), out);
        Some(())
    }

    /// Whether one of the stencils fits; it is the first one then.
    fn fits(&mut self, stored: Canonical<'_>) -> bool {
        if stored.json.len() > JSON_MAX || self.rest > 0 {
            return false;
        }
        let found = &mut self.found;
        let Some(at) = self.kept.iter_mut().position(|stencil| stencil.fit(stored, found)) else {
            return false;
        };
        self.kept[..=at].rotate_right(1);
        self.misses = 0;
        true
    }

    /// Makes a stencil of an object that fits none, if that may be worth it; whether it did.
    fn begin(&mut self, schema: &Schema, shape: &Shape, stored: Canonical<'_>) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        if stored.json.len() > JSON_MAX {
            return false;
        }
        self.misses += 1;
        if self.misses > PATIENCE {
            self.rest = REST;
        }
        let Some(mut stencil) = Stencil::of(schema, shape, stored) else { return false };
        let is_made = stencil.fit(stored, &mut self.found);
        if is_made {
            self.kept.truncate(KEPT_MAX - 1);
            self.kept.insert(0, stencil);
        }
        is_made
    }
}

#[cfg(test)]
mod tests;
