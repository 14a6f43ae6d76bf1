//! The outbox: hands proposals on to the member that leads, many in one question.
//!
//! Way in: [`Outbox::post`]; [`child`].  Never: a second try, or a word about what was done that the
//! leader did not say.
//! Under load a question holds what came while those before it were under way; without load it holds
//! one proposal, at once. So a server that does not lead costs its leader few questions.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use actors_runtime::{Child, Failure, Service};
use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use serde_bytes::ByteBuf;
use store_raft::NodeId;
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use crate::{
    AskError, Later,
    locks::lock,
    shared::Shared,
    wire::{self, Answer, Request},
};

/// Questions that are under way to one member at once.
const UNDER_WAY: usize = 2;

/// Most proposals of one question, and about how many bytes of them: large ones go by themselves.
const LETTERS: usize = 256;
const BYTES: usize = 256 * 1024;

/// What nobody has taken yet, at most.
const LEN_MAX: usize = 65_536;

/// A proposal for another member, and who waits for its answer.
#[derive(Debug)]
struct Letter {
    data: Vec<u8>,
    reply: oneshot::Sender<Answer>,
}

/// Proposals that wait to be handed on.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    letters: Mutex<BTreeMap<NodeId, Vec<Letter>>>,
    filled: Notify,
    /// Whether some member knows only questions with one proposal: an earlier build.
    alone: AtomicBool,
}

impl Outbox {
    /// What `to` answers to a proposal; it is given up when the future is dropped.
    pub(crate) async fn post(&self, to: NodeId, data: Vec<u8>) -> Answer {
        let (reply, answer) = oneshot::channel();
        {
            let mut letters = lock(&self.letters);
            let waiting = letters.entry(to).or_default();
            if waiting.len() >= LEN_MAX {
                return Answer::Busy;
            }
            waiting.push(Letter { data, reply });
        }
        self.filled.notify_one();
        answer.await.unwrap_or(Answer::Unknown)
    }

    /// Takes the next proposals for each member that has not enough questions already.
    fn take(&self, busy: &BTreeMap<NodeId, usize>) -> Vec<(NodeId, Vec<Letter>)> {
        let mut letters = lock(&self.letters);
        let most = if self.alone.load(Ordering::Relaxed) { 1 } else { LETTERS };
        let mut taken = Vec::new();
        for (to, waiting) in &mut *letters {
            for _ in busy.get(to).copied().unwrap_or_default()..UNDER_WAY {
                let mut bytes = 0;
                let fits = |letter: &&Letter| {
                    bytes += letter.data.len();
                    bytes <= BYTES
                };
                let count = waiting.iter().take(most).take_while(fits).count().max(1);
                let next: Vec<Letter> = waiting.drain(..count.min(waiting.len())).collect();
                if next.is_empty() {
                    break;
                }
                taken.push((*to, next));
            }
        }
        letters.retain(|_, waiting| !waiting.is_empty());
        taken
    }
}

/// The outbox of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut busy: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut under_way: FuturesUnordered<Later<NodeId>> = FuturesUnordered::new();
    loop {
        for (to, letters) in shared.outbox.take(&busy) {
            *busy.entry(to).or_default() += 1;
            let shared = Arc::clone(&shared);
            under_way.push(Box::pin(async move {
                deliver(&shared, to, letters).await;
                to
            }));
        }
        tokio::select! {
            () = service.stopping() => return Ok(()),
            () = shared.outbox.filled.notified() => {}
            Some(to) = under_way.next() => {
                busy.entry(to).and_modify(|count| *count -= 1);
                busy.retain(|_, count| *count > 0);
            }
        }
    }
}

/// Asks once, for as long as anybody wants to know.
async fn deliver(shared: &Shared, to: NodeId, letters: Vec<Letter>) {
    let (data, mut replies): (Vec<ByteBuf>, Vec<oneshot::Sender<Answer>>) =
        letters.into_iter().map(|letter| (ByteBuf::from(letter.data), letter.reply)).unzip();
    let answers = {
        let abandoned = join_all(replies.iter_mut().map(oneshot::Sender::closed));
        tokio::select! {
            answers = ask(shared, to, data) => answers,
            _ = abandoned => return,
        }
    };
    let mut answers = answers.into_iter();
    for reply in replies {
        // Who asked may be gone; then nobody wants to know.
        drop(reply.send(answers.next().unwrap_or(Answer::Unknown)));
    }
}

async fn ask(shared: &Shared, to: NodeId, mut data: Vec<ByteBuf>) -> Vec<Answer> {
    let count = data.len();
    let request = match data.pop() {
        Some(only) if data.is_empty() => Request::Propose(only.into_vec()),
        Some(last) => {
            data.push(last);
            Request::ProposeAll(data)
        }
        None => return Vec::new(),
    };
    let asked = shared.transport.ask(to, wire::encode(&request));
    let answer = match timeout(shared.config.propose_within, asked).await {
        Ok(Ok(answer)) => wire::decode(&answer).unwrap_or(Answer::Unknown),
        Ok(Err(AskError::Unreachable)) => Answer::NotLeader(Some(to)),
        Ok(Err(AskError::Lost)) | Err(_) => Answer::Unknown,
    };
    match answer {
        Answer::All(answers) if answers.len() == count => answers,
        Answer::All(_) => vec![Answer::Unknown; count],
        Answer::Malformed if count > 1 => {
            // Nothing was done; each is asked for again, by itself.
            shared.outbox.alone.store(true, Ordering::Relaxed);
            vec![Answer::Unavailable; count]
        }
        one => vec![one; count],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: NodeId = NodeId(1);

    fn post(outbox: &Outbox, sizes: &[usize]) {
        let mut letters = lock(&outbox.letters);
        let new =
            sizes.iter().map(|size| Letter { data: vec![0; *size], reply: oneshot::channel().0 });
        letters.entry(LEADER).or_default().extend(new);
    }

    fn taken(outbox: &Outbox, busy: usize) -> Vec<usize> {
        let busy = BTreeMap::from([(LEADER, busy)]);
        outbox.take(&busy).into_iter().map(|(_, letters)| letters.len()).collect()
    }

    #[test]
    fn what_has_gathered_goes_together_in_order_and_within_bounds() {
        let outbox = Outbox::default();
        post(&outbox, &[1; LETTERS + 1]);
        assert_eq!(taken(&outbox, UNDER_WAY), [0; 0]);
        assert_eq!(taken(&outbox, 0), [LETTERS, 1]);
        post(&outbox, &[1, BYTES, 2 * BYTES, 1, 1]);
        assert_eq!(taken(&outbox, 0), [1, 1]);
        assert_eq!(taken(&outbox, 1), [1]);
        assert_eq!(taken(&outbox, 1), [2]);
        assert_eq!(taken(&outbox, 0), [0; 0]);
    }

    #[test]
    fn an_earlier_build_is_asked_one_by_one() {
        let outbox = Outbox::default();
        outbox.alone.store(true, Ordering::Relaxed);
        post(&outbox, &[1; 3]);
        assert_eq!(taken(&outbox, 0), [1, 1]);
    }
}
