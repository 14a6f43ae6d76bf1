//! The actor of the link to one peer: carries out what [`LinkMachine`] decides.
//!
//! Way in: [`child`].  Owns: links that are not adopted yet; the one that counts, until it ends.
//! Time and order: what others see of the link is changed before its event is sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actors_core::{Effects, Machine, Mono, Rng, Turn};
use actors_runtime::{Child, Failure, Service};
use mesh_wire::Peer;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::{
    DownReason, LinkEvent,
    ends::CloseCode,
    greet::{Established, NoLink, call},
    live::Live,
    machine::{CloseWhy, Effect, Event, LinkId, LinkMachine},
    peers::PeerSlot,
    shared::Shared,
    wire::Wire,
};

/// Ends of attempts and of links that wait to be handled.
const NEWS_MAX: usize = 64;

/// What the parts of the actor report.
enum News {
    Called { attempt: u64, result: Box<Result<Established, NoLink>> },
    Lost { link: LinkId, why: DownReason },
}

pub(crate) fn child(shared: &Arc<Shared>, slot: &Arc<PeerSlot>) -> Child {
    let (shared, slot) = (Arc::clone(shared), Arc::clone(slot));
    Child::service(move |service| run(Arc::clone(&shared), Arc::clone(&slot), service))
}

async fn run(shared: Arc<Shared>, slot: Arc<PeerSlot>, service: Service) -> Result<(), Failure> {
    let mut calls = slot.calls.lock().await;
    let (sender, mut news) = mpsc::channel(NEWS_MAX);
    let mut wanted = slot.wanted.subscribe();
    let mut link = Link::new(&shared, &slot, &service, sender);
    let address = wanted.borrow_and_update().map(|wanted| wanted.address);
    if address.is_none() && calls.is_empty() {
        return Ok(());
    }
    // An actor that was started for a call looks at it before it may be done.
    if address.is_some() {
        link.handle(Event::Wanted(address), None);
    }
    loop {
        let wake = link.wake;
        tokio::select! {
            biased;
            () = service.stopping() => {
                link.leave(CloseCode::Orderly, "this end stops", DownReason::Closed);
                return Ok(());
            }
            Some(made) = calls.recv() => link.handle_call(made),
            Some(news) = news.recv() => link.handle_news(news),
            Ok(()) = wanted.changed() => {
                let address = wanted.borrow_and_update().map(|wanted| wanted.address);
                link.handle(Event::Wanted(address), Some(DownReason::Closed));
            }
            token = waited(wake) => {
                link.wake = None;
                link.handle(Event::Wake(token), None);
            }
        }
        if link.is_done && calls.is_empty() {
            return Ok(());
        }
        link.is_done = false;
    }
}

/// Resolves at the time of a wake, if there is one.
async fn waited(wake: Option<(Instant, u64)>) -> u64 {
    match wake {
        Some((at, token)) => {
            // Nothing else can come of this than that the time is over.
            drop(timeout_at(at, std::future::pending::<()>()).await);
            token
        }
        None => std::future::pending().await,
    }
}

struct Link {
    shared: Arc<Shared>,
    slot: Arc<PeerSlot>,
    service: Service,
    machine: LinkMachine,
    rng: Rng,
    news: mpsc::Sender<News>,
    /// Made, and not judged yet; with whether this end dialed.
    candidates: BTreeMap<LinkId, (Established, bool)>,
    counting: Option<(LinkId, Arc<Live>)>,
    wake: Option<(Instant, u64)>,
    links: u64,
    is_done: bool,
}

impl Link {
    fn new(
        shared: &Arc<Shared>,
        slot: &Arc<PeerSlot>,
        service: &Service,
        news: mpsc::Sender<News>,
    ) -> Self {
        slot.is_running.store(true, Ordering::Release);
        Self {
            machine: LinkMachine::new(&shared.me.node, &slot.node),
            shared: Arc::clone(shared),
            slot: Arc::clone(slot),
            rng: service.rng(),
            service: service.clone(),
            news,
            candidates: BTreeMap::new(),
            counting: None,
            wake: None,
            links: 0,
            is_done: false,
        }
    }

    fn keep(&mut self, made: Established, is_dialed: bool) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.candidates.insert(link, (made, is_dialed));
        link
    }

    fn handle_call(&mut self, made: Established) {
        let incarnation = made.hello.incarnation;
        let link = self.keep(made, false);
        self.handle(Event::Accepted { link, incarnation }, None);
    }

    fn handle_news(&mut self, news: News) {
        match news {
            News::Called { attempt, result } => match *result {
                Ok(made) => {
                    let incarnation = made.hello.incarnation;
                    let link = self.keep(made, true);
                    self.handle(Event::Dialed { attempt, link, incarnation }, None);
                }
                Err(error) => self.handle_failure(attempt, error),
            },
            News::Lost { link, why } => self.handle(Event::Lost(link), Some(why)),
        }
    }

    fn handle_failure(&mut self, attempt: u64, error: NoLink) {
        let NoLink { why, own_refusal } = error;
        if let (Some(text), Some(wanted)) = (own_refusal, *self.slot.wanted.borrow()) {
            self.shared.refuse(wanted.address, None, &text);
        }
        let text = why.to_string();
        let is_news = {
            let mut status = self.slot.status();
            let is_news = status.last_error.as_ref() != Some(&text);
            status.last_error = Some(text);
            is_news
        };
        // Said once, not at every attempt.
        if is_news && self.counting.is_none() && matches!(why, DownReason::Refused(_)) {
            self.say(LinkEvent::Down { peer: self.assumed_peer(), why });
        }
        self.handle(Event::Failed { attempt }, None);
    }

    /// Tells the machine, does what it wants, and says what has changed. `why` is why the link that
    /// counts ends, if it does.
    fn handle(&mut self, event: Event, why: Option<DownReason>) {
        let before = self.counting.as_ref().map(|(_, live)| Arc::clone(live));
        let mut out = Effects::default();
        let now = self.service.system().now();
        let turn = Turn { now, rng: &mut self.rng, view: &() };
        self.machine.handle(turn, event, &mut out);
        debug_assert!({
            self.machine.assert_invariants();
            true
        });
        if let Some((link, live)) = &self.counting
            && self.machine.counting() != Some(*link)
        {
            live.end();
        }
        for effect in out.drain() {
            self.submit(effect, now.mono);
        }
        if self.counting.as_ref().map(|(link, _)| *link) != self.machine.counting() {
            self.counting = None;
        }
        self.settle(before.as_deref(), why);
    }

    fn submit(&mut self, effect: Effect, now: Mono) {
        match effect {
            Effect::Dial { attempt, address } => {
                self.slot.status().attempts += 1;
                let (shared, slot) = (Arc::clone(&self.shared), Arc::clone(&self.slot));
                let news = self.news.clone();
                self.spawn("dial", async move {
                    let result = Box::new(call(&shared, &slot.node, address).await);
                    // An error means that the actor has ended.
                    drop(news.send(News::Called { attempt, result }).await);
                });
            }
            Effect::WakeAt { at, token } => {
                self.wake = Some((Instant::now() + at.since(now), token));
            }
            Effect::Adopt(link) => self.adopt(link),
            Effect::Close { link, why } => self.close(link, why),
            Effect::Done => self.is_done = true,
        }
    }

    fn adopt(&mut self, link: LinkId) {
        let Some((made, is_dialed)) = self.candidates.remove(&link) else { return };
        let Established { connection, facts, hello, send, recv, splitter } = made;
        let limits = &self.shared.limits;
        let live = Live::new(connection, facts, hello, limits, self.shared.now());
        let live = Arc::new(live);
        self.counting = Some((link, Arc::clone(&live)));
        let wire = Wire {
            shared: Arc::clone(&self.shared),
            slot: Arc::clone(&self.slot),
            live: Arc::clone(&live),
            service: self.service.clone(),
            is_dialed,
        };
        wire.start((send, recv), splitter);
        let news = self.news.clone();
        let shared = Arc::clone(&self.shared);
        self.spawn("end", async move {
            let why = until_end(&shared, &live).await;
            live.end();
            drop(news.send(News::Lost { link, why }).await);
        });
    }

    fn close(&mut self, link: LinkId, why: CloseWhy) {
        let (code, text) = match why {
            CloseWhy::Superseded => (CloseCode::Superseded, "another link takes its place"),
            CloseWhy::Restarted => (CloseCode::Superseded, "a later process takes its place"),
            CloseWhy::Unwanted => (CloseCode::Unwanted, "the link is not wanted any more"),
        };
        if let Some((made, _)) = self.candidates.remove(&link) {
            made.connection.close(code.number(), text.as_bytes());
        } else if let Some((_, live)) = self.counting.take_if(|(counting, _)| *counting == link) {
            live.close(code, text, DownReason::Closed);
        }
    }

    /// Publishes the link that counts, if it is another one than before.
    fn settle(&mut self, before: Option<&Live>, why: Option<DownReason>) {
        let after = self.counting.as_ref().map(|(_, live)| Arc::clone(live));
        let same = match (before, &after) {
            (None, None) => true,
            (Some(before), Some(after)) => std::ptr::eq(before, Arc::as_ptr(after)),
            _ => false,
        };
        if same {
            return;
        }
        self.slot.set_live(after.clone());
        let now = self.shared.now();
        let incarnation = |live: &Live| live.hello.incarnation;
        let is_restart = match (before, &after) {
            (Some(before), Some(after)) => incarnation(before) != incarnation(after),
            _ => false,
        };
        if let Some(before) = before
            && (after.is_none() || is_restart)
        {
            let restarted = || DownReason::Error("the link has ended".to_owned());
            let why = if is_restart { DownReason::Reset } else { why.unwrap_or_else(restarted) };
            let mut status = self.slot.status();
            (status.since, status.attempts) = (now, 0);
            status.last_error = Some(why.to_string());
            drop(status);
            self.say(LinkEvent::Down { peer: before.facts.peer.clone(), why });
        }
        if let Some(after) = after {
            let mut status = self.slot.status();
            status.role = after.facts.peer.role;
            status.ups += 1;
            status.last_error = None;
            drop(status);
            if before.is_none() || is_restart {
                let peer = after.facts.peer.clone();
                self.say(LinkEvent::Up { peer, incarnation: after.hello.incarnation });
            }
        }
    }

    /// Nothing counts any more: tells the other end, and whoever listens here.
    fn leave(&mut self, code: CloseCode, text: &str, why: DownReason) {
        if let Some((_, live)) = self.counting.take() {
            self.slot.set_live(None);
            live.close(code, text, why.clone());
            let mut status = self.slot.status();
            status.since = self.shared.now();
            status.last_error = Some(why.to_string());
            drop(status);
            self.say(LinkEvent::Down { peer: live.facts.peer.clone(), why });
        }
    }

    fn say(&self, event: LinkEvent) {
        tracing::info!(node = self.slot.node, ?event, "a link changed");
        // An error means that nobody listens, which is allowed.
        drop(self.shared.events.send(event));
    }

    /// Who a peer is that has not shown its certificate.
    fn assumed_peer(&self) -> Peer {
        let role = self.slot.status().role;
        Peer { role, node: self.slot.node.clone(), ..self.shared.me.clone() }
    }

    fn spawn(&self, name: &str, piece: impl Future<Output = ()> + Send + 'static) {
        if let Err(error) = self.service.spawn(name, piece) {
            tracing::debug!(%error, "the link's actor is ending");
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // There is still one only if the actor has failed; it is started again, and with it the link.
        let text = "the actor of the link has failed";
        self.leave(CloseCode::Protocol, text, DownReason::Error(text.to_owned()));
        self.slot.is_running.store(false, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

/// Resolves when the link has ended, which it does at the latest with the peer's certificate.
async fn until_end(shared: &Shared, live: &Live) -> DownReason {
    let left = live.facts.not_after.saturating_sub(shared.now().as_secs());
    let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
    // Timers reach no farther than some years.
    let left = left.min(Duration::from_secs(400 * 86_400));
    if let Ok(why) = tokio::time::timeout(left, live.closed()).await {
        return why;
    }
    let text = format!("the certificate of {} has expired", live.facts.peer);
    shared.refuse(live.connection.remote_address(), Some(&live.facts), &text);
    let why = DownReason::Refused(text.clone());
    live.close(CloseCode::Refused, &text, why.clone());
    why
}
