//! A member whose state was lost while an image replaced it: what it may do until it has another
//! image.
//!
//! Way in: `without_memory`, `ask_for_snapshot`.
//! Invariant: such a member votes for nobody and acknowledges nothing. What it acknowledged before
//! is covered by the snapshot that it owes itself, for its log did not reach or not match that one;
//! with a snapshot as new it is sound again. Its term and its vote are not lost, they are in the
//! head.

use raft::eraftpb::{Message, MessageType};

use super::RaftMachine;

impl RaftMachine {
    /// What may be told to raft of a message, if anything.
    pub(super) fn without_memory(&self, mut message: Message) -> Option<Message> {
        let Some((mark, _)) = &self.owed else { return Some(message) };
        match message.get_msg_type() {
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => None,
            MessageType::MsgSnapshot => {
                (message.get_snapshot().get_metadata().index >= mark.index).then_some(message)
            }
            // The leader speaks of entries that this member had once. Only who leads, and in which
            // term, is news.
            MessageType::MsgAppend | MessageType::MsgHeartbeat => {
                message.set_msg_type(MessageType::MsgHeartbeat);
                message.commit = 0;
                message.entries.clear();
                Some(message)
            }
            _ => Some(message),
        }
    }

    /// Tells the leader that nothing but a snapshot helps; after each message of a leader.
    pub(super) fn ask_for_snapshot(&mut self) {
        let Some((mark, _)) = &self.owed else { return };
        let raft = &mut self.node.raft;
        if self.installing.is_some() || raft.leader_id == raft::INVALID_ID {
            return;
        }
        let mut request = Message {
            from: raft.id,
            to: raft.leader_id,
            term: raft.term,
            reject: true,
            request_snapshot: mark.index,
            // Above all that the leader believes to be here, else it takes the rejection for an old
            // one.
            index: u64::MAX,
            ..Message::default()
        };
        request.set_msg_type(MessageType::MsgAppendResponse);
        raft.msgs.push(request);
    }
}
