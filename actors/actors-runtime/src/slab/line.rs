//! What waits for one key: most often one event, which then takes no memory of its own.
//!
//! Way in: [`Line`].  Invariant: `more` is empty if there is no `first`.

use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Line<T> {
    first: Option<T>,
    more: VecDeque<T>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { first: None, more: VecDeque::new() }
    }
}

impl<T> Line<T> {
    pub(super) fn len(&self) -> usize {
        self.more.len() + usize::from(self.first.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push_back(&mut self, one: T) {
        match self.first {
            None => self.first = Some(one),
            Some(_) => self.more.push_back(one),
        }
    }

    /// Puts it before the one that is at `place`, or behind all.
    pub(super) fn insert(&mut self, place: usize, one: T) {
        if place == 0 {
            let second = self.first.replace(one);
            second.into_iter().for_each(|second| self.more.push_front(second));
        } else {
            self.more.insert((place - 1).min(self.more.len()), one);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        self.first = self.more.pop_front();
        first
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        match place {
            0 => self.pop_front(),
            place => self.more.remove(place - 1),
        }
    }

    /// Takes everything out, and keeps no memory.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        let Self { first, more } = std::mem::take(self);
        first.into_iter().chain(more)
    }
}

#[cfg(test)]
mod tests {
    use actors_core::Rng;

    use super::*;

    #[test]
    fn it_does_what_a_queue_does() {
        let mut rng = Rng::from_number(7);
        let (mut line, mut model) = (Line::default(), VecDeque::new());
        for step in 0..10_000_u32 {
            let place = usize::try_from(rng.below(model.len() as u64 + 1)).unwrap();
            match rng.below(5) {
                0 => {
                    line.push_back(step);
                    model.push_back(step);
                }
                1 => {
                    line.insert(place, step);
                    model.insert(place, step);
                }
                2 | 3 => assert_eq!(line.pop_front(), model.pop_front()),
                _ => assert_eq!(line.remove(place), model.remove(place)),
            }
            assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
        }
        assert!(line.take().eq(model));
        assert_eq!(line.len(), 0);
    }
}
