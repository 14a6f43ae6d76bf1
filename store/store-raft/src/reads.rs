//! Batches reads into rounds: each round asks the leader once which index its reads must see.
//!
//! Way in: [`Reads`].  Invariant: a read joins a round only before that round is asked; one that
//! comes later waits for the next, because the index of a round is only good for reads that began
//! before it was asked.
//! Spec: Ongaro's dissertation, section 6.4 (ReadIndex).

use actors_core::{Correlation, Mono, Rng};

use crate::{NodeId, RaftConfig};

/// Reads that wait to be confirmed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads {
    /// Those that no round has taken yet, oldest first.
    queue: Vec<Waiting>,
    /// The round that was asked and not answered.
    round: Option<Round>,
    /// Makes contexts of this life differ from those of earlier lives; drawn with the first round.
    nonce: Option<u64>,
    rounds: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: Correlation,
    since: Mono,
}

#[derive(Debug, Clone)]
struct Round {
    context: Vec<u8>,
    reads: Vec<Waiting>,
    asked: Mono,
}

impl Reads {
    /// Adds a read to the next round; false if too many wait.
    pub(crate) fn add(&mut self, id: Correlation, now: Mono) -> bool {
        let room = self.len() < RaftConfig::READS_MAX;
        if room {
            self.queue.push(Waiting { id, since: now });
        }
        room
    }

    /// Begins a round if none is under way and reads wait; returns the context to ask the leader
    /// with.
    pub(crate) fn begin(&mut self, node: NodeId, now: Mono, rng: &mut Rng) -> Option<Vec<u8>> {
        if self.round.is_some() || self.queue.is_empty() {
            return None;
        }
        let nonce = *self.nonce.get_or_insert_with(|| rng.next_u64());
        self.rounds += 1;
        let mut context = Vec::with_capacity(24);
        for part in [node.0, nonce, self.rounds] {
            context.extend_from_slice(&part.to_be_bytes());
        }
        let reads = std::mem::take(&mut self.queue);
        self.round = Some(Round { context: context.clone(), reads, asked: now });
        Some(context)
    }

    /// Ends the round of this context and returns its reads; empty if the context is not the
    /// current one.
    pub(crate) fn answer(&mut self, context: &[u8]) -> Vec<Correlation> {
        match self.round.take_if(|round| round.context == context) {
            Some(round) => round.reads.into_iter().map(|read| read.id).collect(),
            None => Vec::new(),
        }
    }

    /// Gives up the current round: its reads join the next. For when the leader or the term
    /// changed.
    pub(crate) fn restart(&mut self) {
        if let Some(round) = self.round.take() {
            self.queue.splice(0..0, round.reads);
        }
    }

    /// Takes out the reads that waited too long, and restarts a round that was not answered in
    /// time.
    pub(crate) fn expire(&mut self, now: Mono) -> Vec<Correlation> {
        if self.round.as_ref().is_some_and(|round| now.since(round.asked) >= RaftConfig::READ_RETRY)
        {
            self.restart();
        }
        let late = |read: &mut Waiting| now.since(read.since) >= RaftConfig::READ_PATIENCE;
        self.queue.extract_if(.., late).map(|read| read.id).collect()
    }

    /// Takes out everything.
    pub(crate) fn forget_all(&mut self) -> Vec<Correlation> {
        self.restart();
        std::mem::take(&mut self.queue).into_iter().map(|read| read.id).collect()
    }

    /// How many reads wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len() + self.round.as_ref().map_or(0, |round| round.reads.len())
    }
}
