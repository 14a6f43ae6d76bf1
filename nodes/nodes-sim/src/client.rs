//! A user's machine: registers (ConfigMaps) that are read and written, Deployments that come,
//! change and go, a watch.
//!
//! Way in: [`Client::handle_local`], [`Client::handle_message`].
//! Owns: one operation at a time, and what it saw for the judges. What it asks is drawn in
//! `workload`.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Mono;
use actors_object::{ApiError, Object};
use actors_sim::NodeId;
use chaos_judges::{Answer, Call, Expected, LogEntry, Operation, Seen, Version, WatchRecord};
use nodes_door::{Entry, Identity, Response, ResponseBody};
use store_mvcc::Key;

use crate::{
    ask::{Asker, CONFIG_MAPS},
    event::{Local, Message, Shown},
    record::{REGISTERS, is_register},
    report::Invariant,
    server::Ctx,
    watcher::{Listening, News, Watcher, revision_of},
    workload::{self, Ask},
};

/// A client that is up. It is never crashed: it is who judges the others.
pub(crate) struct Client {
    me: NodeId,
    pub(crate) asker: Asker,
    open: Option<Open>,
    next_ask: u64,
    /// What it last saw of each register: the revision, if it was there.
    pub(crate) known: BTreeMap<String, Option<u64>>,
    pub(crate) written: u64,
    watcher: Watcher,
    listing: Option<u64>,
    /// Its place among the records of watches.
    watch: Option<usize>,
    is_resting: bool,
}

struct Open {
    id: u64,
    since: Mono,
    /// Its place in the history, if it is judged.
    operation: Option<usize>,
    /// Which register it is about.
    register: Option<String>,
}

impl Client {
    /// An operation without an answer after this time has an unknown end.
    const PATIENCE: Duration = Duration::from_secs(6);
    const BEAT: Duration = Duration::from_millis(100);

    pub(crate) fn new(me: NodeId) -> Self {
        let asker = Asker::new(Identity::new(format!("user-{}", me.0), &["system:masters"]));
        let list = asker.list(CONFIG_MAPS, Some("default"));
        Self {
            me,
            asker,
            open: None,
            next_ask: 0,
            known: BTreeMap::new(),
            written: 0,
            watcher: Watcher::new(list),
            listing: None,
            watch: None,
            is_resting: false,
        }
    }

    /// It begins no further operation.
    pub(crate) fn rest(&mut self) {
        self.is_resting = true;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_none()
    }

    /// How far its watch has come.
    pub(crate) fn watched(&self) -> u64 {
        self.watcher.after.unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        self.next_ask += 1;
        self.next_ask
    }

    pub(crate) fn handle_local(&mut self, ctx: &mut Ctx<'_>, local: Local) {
        match local {
            Local::NextOperation => {
                let longest =
                    u64::try_from(ctx.shared.knobs.pause_max.as_micros()).unwrap_or(50_000);
                let pause = Duration::from_micros(ctx.rng.between(1_000, longest));
                ctx.at(ctx.now.mono.after(pause), Local::NextOperation);
                if self.open.is_none() && !self.is_resting {
                    self.begin(ctx);
                }
            }
            Local::Beat => {
                ctx.at(ctx.now.mono.after(Self::BEAT), Local::Beat);
                self.beat(ctx);
            }
            _ => {}
        }
    }

    fn beat(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        self.open.take_if(|open| now.since(open.since) > Self::PATIENCE);
        let server = any_server(ctx);
        let next = &mut self.next_ask;
        let number = || {
            *next += 1;
            *next
        };
        if let Some((id, request)) = self.watcher.look(now, server, number, ctx.rng) {
            self.listing = Some(id);
            ctx.send(server, Message::Ask { id, request: Shown(Box::new(request)) });
        }
    }

    fn begin(&mut self, ctx: &mut Ctx<'_>) {
        let Ask { request, call, register } = workload::draw(self, ctx);
        let id = self.number();
        let operation = call.map(|call| {
            let (client, at) = (self.me.0, ctx.time);
            let answer = Answer::Unknown;
            ctx.record.operations.push(Operation {
                client,
                call,
                invoked: at,
                returned: at,
                answer,
            });
            ctx.record.operations.len() - 1
        });
        self.open = Some(Open { id, since: ctx.now.mono, operation, register });
        let server = any_server(ctx);
        ctx.send(server, Message::Ask { id, request: Shown(Box::new(request)) });
    }

    pub(crate) fn handle_message(&mut self, ctx: &mut Ctx<'_>, from: NodeId, message: Message) {
        match message {
            Message::Answer { id, response } => {
                if let Some(open) = self.open.take_if(|open| open.id == id) {
                    self.end(ctx, open, &response.0);
                } else if self.listing == Some(id) && self.watcher.awaits(id) {
                    let mut news = Vec::new();
                    self.watcher.take_answer(&response.0, &mut news);
                    self.take_news(ctx, news);
                }
            }
            Message::Watched { id, batch, events } => {
                let mut news = Vec::new();
                let stream = (from, id, batch);
                let now = ctx.now.mono;
                if self.watcher.take_batch(stream, &events.0, now, &mut news) == Listening::No {
                    ctx.send(from, Message::Unwatch { id });
                }
                self.take_news(ctx, news);
            }
            _ => {}
        }
    }

    fn end(&mut self, ctx: &mut Ctx<'_>, open: Open, response: &Response) {
        let Some(place) = open.operation else { return self.end_unjudged(ctx, response) };
        let Some(operation) = ctx.record.operations.get(place) else { return };
        let answer = answer_of(&operation.call, response);
        if let Some(register) = open.register {
            match &answer {
                Answer::Written { revision } => {
                    let kept = !matches!(&operation.call, Call::Write { value: None, .. });
                    self.known.insert(register, kept.then_some(*revision));
                }
                Answer::Read { found, .. } => {
                    let seen = found.first().map(|(_, version)| version.revision);
                    self.known.insert(register, seen);
                }
                Answer::Conflict { .. } | Answer::Refused => drop(self.known.remove(&register)),
                Answer::Unknown => {}
            }
        }
        if let Some(operation) = ctx.record.operations.get_mut(place) {
            operation.returned = ctx.time;
            operation.answer = answer;
        }
    }

    /// What the door says where nobody judges the answer must make sense, whatever else happens.
    fn end_unjudged(&mut self, ctx: &mut Ctx<'_>, response: &Response) {
        if let ResponseBody::Error(error) = &response.body
            && !matches!(error.code, 404 | 409 | 429 | 503 | 504)
            && !error.message.contains("is being terminated")
        {
            let what = format!("a client was refused: {} {}", error.code, error.message);
            ctx.record.violation(Invariant::AnswersMakeSense, what);
        }
    }

    fn take_news(&mut self, ctx: &mut Ctx<'_>, news: Vec<News>) {
        for one in news {
            let seen = match one {
                News::Listed(_) => continue,
                News::Resumed(after) => {
                    let (prefix, started) = (REGISTERS.to_owned(), ctx.time);
                    let record = WatchRecord { prefix, after, started, seen: Vec::new() };
                    ctx.record.watches.push(record);
                    self.watch = Some(ctx.record.watches.len() - 1);
                    continue;
                }
                News::UpTo(revision) => Seen::Bookmark(revision),
                News::Put(object) => match register(&object) {
                    Some((key, value)) => Seen::Change(LogEntry {
                        revision: revision_of(&object),
                        key,
                        value: Some(value),
                    }),
                    None => continue,
                },
                News::Gone(object) => match register(&object) {
                    Some((key, _)) => {
                        Seen::Change(LogEntry { revision: revision_of(&object), key, value: None })
                    }
                    None => continue,
                },
            };
            if let Some(record) = self.watch.and_then(|place| ctx.record.watches.get_mut(place)) {
                record.seen.push(seen);
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("me", &self.me).finish_non_exhaustive()
    }
}

fn any_server(ctx: &mut Ctx<'_>) -> NodeId {
    let servers = u64::from(ctx.shared.config.servers);
    NodeId(u32::try_from(ctx.rng.below(servers)).unwrap_or(0))
}

/// A register's key and value, if an object is one.
fn register(object: &Object) -> Option<(String, String)> {
    let key = Key::object("", "configmaps", Some(object.namespace()), object.name());
    let value = object.str_at(&["data", "v"]).unwrap_or_default().to_owned();
    is_register(&key).then(|| (key.to_string(), value))
}

fn version(object: &Object) -> Option<(String, Version)> {
    let (key, value) = register(object)?;
    Some((key, Version { revision: revision_of(object), value }))
}

/// The door's answer as the judges know answers.
fn answer_of(call: &Call, response: &Response) -> Answer {
    let shown = |entry: &Entry| version(&entry.object());
    match (&response.body, call) {
        (ResponseBody::Error(error), Call::Get { .. }) if error.is_not_found() => {
            match response.revision {
                Some(revision) => Answer::Read { revision: revision.0, found: Vec::new() },
                None => Answer::Refused,
            }
        }
        // Of a write to what must be there, "not found" says that it was not.
        (ResponseBody::Error(error), Call::Write { expected, .. })
            if error.is_not_found() && *expected != Expected::Absent =>
        {
            Answer::Conflict { current: None }
        }
        (ResponseBody::Error(error), _) => refused(error),
        (ResponseBody::List(list), _) => Answer::Read {
            revision: list.revision.0,
            found: list.entries.iter().filter_map(shown).collect(),
        },
        (ResponseBody::Entry(entry), Call::Get { .. }) => match response.revision {
            Some(revision) => {
                Answer::Read { revision: revision.0, found: shown(entry).into_iter().collect() }
            }
            None => Answer::Refused,
        },
        (ResponseBody::Entry(entry), Call::Write { value: Some(_), .. }) => {
            Answer::Written { revision: revision_of(&entry.object()) }
        }
        (_, Call::Write { .. }) => Answer::Unknown,
        (_, _) => Answer::Refused,
    }
}

/// A refusal says that nothing was done, unless nobody knows; it does not say which version was
/// met.
fn refused(error: &ApiError) -> Answer {
    match error.code {
        504 | 500 => Answer::Unknown,
        _ => Answer::Refused,
    }
}
