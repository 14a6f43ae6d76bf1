//! What the server's own parts remember of traces: writes at the gate, and the plans of those who act.
//!
//! Way in: [`Visit`] for a request, [`Run`] for a plan.  Never: a decision; a span that is lost changes nothing.

use actors_controller::{Cause, Item, Key, Kind, Plan, Verdict, World as _};
use actors_kinds::Registry;
use actors_object::Object;
use actors_runtime::Trace;
use nodes_client::{Client as _, Open, Tracer};
use nodes_control::SnapshotWorld;
use nodes_door::{Entry, Request, Response, ResponseBody, Verb};
use nodes_trace::{Parent, Thing, TraceContext};
use store_mvcc::{OpResult, Outcome};

use crate::control::Control;

/// Most lines of a plan that a span tells.
const LINES_MAX: usize = 4;

/// One request on its way through the gate.
pub(crate) struct Visit {
    tracer: Tracer,
    /// `None` for what nobody asks about: reads, heartbeats.
    open: Option<Open>,
    wrote: Vec<u64>,
    /// Whether it makes or counts an Event, which is told as a step of the object that it is about.
    is_event: bool,
    /// Whether it was asked for by a step that is remembered.
    is_asked_for: bool,
}

/// What messages between actors carry on behalf of a step.
pub(crate) fn carried(step: Option<&Open>) -> Trace {
    step.map_or(Trace::NONE, |step| {
        let TraceContext { trace, span } = step.context();
        Trace { trace, span }
    })
}

impl Visit {
    pub(crate) fn begin(tracer: &Tracer, request: &Request, registry: &Registry) -> Self {
        let target = &request.target;
        let is_event = target.resource == "events";
        let trace = request.options.trace;
        let open = (!is_quiet(request)).then(|| {
            let facts = registry.resource(&target.group, &target.version, &target.resource);
            let kind = facts.map_or(target.resource.as_str(), |facts| &facts.gvk.kind);
            let name = target.name.as_deref().unwrap_or_default();
            let thing = Thing::new(kind, target.namespace.as_deref().unwrap_or_default(), name);
            let verb = match &target.subresource {
                Some(part) => format!("{} {part}", request.verb.as_str()),
                None => request.verb.as_str().to_owned(),
            };
            let verb = if is_event { "event" } else { verb.as_str() };
            let mut open = tracer.continued(("api", verb), thing, trace);
            if trace == TraceContext::NONE {
                open.set_cause(format!("{} asks for it", request.identity.user));
            }
            open
        });
        let is_asked_for = trace != TraceContext::NONE;
        Self { tracer: tracer.clone(), open, wrote: Vec::new(), is_event, is_asked_for }
    }

    /// A proposal goes to the store.
    pub(crate) fn store(&self) -> Option<Open> {
        let open = self.open.as_ref().filter(|_| !self.is_event)?;
        let about = open.thing().clone();
        Some(self.tracer.continued(("store", "store"), about, open.context()))
    }

    /// It has its outcome.
    pub(crate) fn stored(&mut self, step: Option<Open>, outcome: &Outcome) {
        let mut revisions: Vec<u64> = Vec::new();
        for result in &outcome.results {
            if let OpResult::Done { revision, .. } = result
                && !revisions.contains(&revision.0)
            {
                revisions.push(revision.0);
            }
        }
        if let Some(step) = step {
            let told = match revisions.last() {
                Some(revision) => {
                    format!("synced on a quorum and applied here, revision {revision}")
                }
                None => "somebody else's write came first: decided anew".to_owned(),
            };
            self.tracer.end(step, told);
        }
        self.wrote.extend(revisions);
    }

    /// The answer is known.
    pub(crate) fn end(self, response: &Response) {
        let Some(mut open) = self.open else { return };
        // Whoever says it without a trace remembers it itself.
        if self.is_event && !self.is_asked_for {
            return;
        }
        let changed = !self.wrote.is_empty();
        if !changed && !self.is_asked_for && response.code < 400 {
            return;
        }
        let outcome = match (&response.body, self.is_event) {
            (ResponseBody::Error(error), _) => {
                format!("{} {}: {}", error.code, error.reason.as_str(), error.message)
            }
            (ResponseBody::Entry(entry), true) => {
                let event = entry.object();
                open.set_thing(regarding(&event));
                happening(&event)
            }
            _ if !changed => "nothing to change".to_owned(),
            _ => {
                let revision = self.wrote.last().copied().unwrap_or_default();
                format!("{} at revision {revision}", response.code)
            }
        };
        if let ResponseBody::Entry(entry) = &response.body
            && open.thing().name.is_empty()
        {
            let thing = Thing { name: name_of(entry), ..open.thing().clone() };
            open.set_thing(thing);
        }
        open.set_wrote(self.wrote);
        self.tracer.end(open, outcome);
    }
}

/// Whether nobody will ask why: reads, trials, and what only says that somebody still lives.
fn is_quiet(request: &Request) -> bool {
    let (verb, target) = (request.verb, &request.target);
    let resource = target.resource.as_str();
    matches!(verb, Verb::Get | Verb::List | Verb::Watch)
        || request.options.dry_run
        || target.group == "authorization.k8s.io"
        || target.group == "authentication.k8s.io"
        || matches!(target.subresource.as_deref(), Some("token"))
        || resource == "leases"
        || (resource == "nodes" && target.subresource.is_some())
        || (resource == "events" && matches!(verb, Verb::Delete | Verb::DeleteCollection))
}

fn name_of(entry: &Entry) -> String {
    match entry {
        Entry::Stored(item) => String::from_utf8_lossy(item.key().last_segment()).into_owned(),
        Entry::Made(object) => object.name().to_owned(),
    }
}

/// The object that an Event is about.
fn regarding(event: &Object) -> Thing {
    let about = ["involvedObject", "regarding"].iter().find_map(|field| event.0.path(&[field]));
    let text = |field: &str| about.and_then(|about| about.str_at(&[field])).unwrap_or_default();
    Thing::new(text("kind"), text("namespace"), text("name"))
}

fn happening(event: &Object) -> String {
    let text = |field: &str| event.0.str_at(&[field]).unwrap_or_default();
    let message = if text("message").is_empty() { text("note") } else { text("message") };
    format!("{}: {message}", text("reason"))
}

/// A plan on its way: one step, or one for each object.
pub(crate) struct Run {
    tracer: Tracer,
    steps: Vec<Open>,
    /// The step of each item.
    of_item: Vec<usize>,
}

impl Run {
    /// A controller's look at one key: its items are asked for by one step, which continues the trace of the change
    /// that was the reason.
    pub(crate) fn of_key(control: &Control, (controller, key): (&str, &Key), plan: &Plan) -> Self {
        let tracer = control.gate.tracer();
        let thing = thing_of(key);
        let changed = plan.causes.iter().find_map(|cause| match cause {
            Cause::Changed { revision, .. } => Some(*revision),
            _ => None,
        });
        let revision = changed.or_else(|| revision_of(control, key));
        let parent = revision.map_or(Parent::None, Parent::Revision);
        let is_about_events = key.kind.kind() == "Event" || key.kind.kind() == "Lease";
        if is_about_events {
            return Self { tracer, steps: Vec::new(), of_item: Vec::new() };
        }
        let mut step = tracer.begin((controller, "reconcile"), thing, parent);
        let mut causes: Vec<String> = plan.causes.iter().map(ToString::to_string).collect();
        causes.dedup();
        step.set_cause(causes.join(", "));
        Self { tracer, steps: vec![step], of_item: vec![0; plan.items.len()] }
    }

    /// Decisions about many objects: a step for each, which continues the trace of its object's last write.
    pub(crate) fn of_objects(control: &Control, words: (&str, &str), plan: &Plan) -> Self {
        let tracer = control.gate.tracer();
        let (mut steps, mut of_item): (Vec<Open>, Vec<usize>) = (Vec::new(), Vec::new());
        for item in &plan.items {
            let key = key_of(item);
            let thing = thing_of(&key);
            let at = steps.iter().position(|step| *step.thing() == thing).unwrap_or_else(|| {
                let parent = revision_of(control, &key).map_or(Parent::None, Parent::Revision);
                steps.push(tracer.begin(words, thing, parent));
                steps.len() - 1
            });
            of_item.push(at);
        }
        Self { tracer, steps, of_item }
    }

    /// What goes with the request of one item.
    pub(crate) fn context(&self, item: usize) -> TraceContext {
        let step = self.of_item.get(item).and_then(|at| self.steps.get(*at));
        step.map_or(TraceContext::NONE, Open::context)
    }

    /// All items have their verdicts.
    pub(crate) fn end(self, plan: &Plan, verdicts: &[Verdict]) {
        for (at, step) in self.steps.into_iter().enumerate() {
            let own = plan.items.iter().zip(verdicts).zip(&self.of_item);
            let own = own.filter(|(_, of)| **of == at).map(|(pair, _)| pair);
            let mut lines: Vec<String> =
                own.map(|(item, verdict)| described(item, verdict)).collect();
            let more = lines.len().saturating_sub(LINES_MAX);
            lines.truncate(LINES_MAX);
            if more > 0 {
                lines.push(format!("and {more} more"));
            }
            self.tracer.end(step, lines.join("; "));
        }
    }
}

fn thing_of(key: &Key) -> Thing {
    Thing::new(key.kind.kind(), &key.namespace, &key.name)
}

/// The revision of an object's last write, as this replica shows it.
fn revision_of(control: &Control, key: &Key) -> Option<u64> {
    let snapshot = control.gate.store().snapshot();
    let world = SnapshotWorld::new(snapshot, std::sync::Arc::clone(&control.registry));
    let object = world.get(&key.kind, &key.namespace, &key.name)?;
    object.resource_version().parse().ok()
}

/// The object that an item is about; that of an Event is the one to which it happened.
fn key_of(item: &Item) -> Key {
    match item {
        Item::Create(object) if object.kind() == "Event" => {
            let thing = regarding(object);
            let version = object.0.str_at(&["involvedObject", "apiVersion"]).unwrap_or("v1");
            Key::new(&Kind::owned(version, thing.kind), thing.namespace, thing.name)
        }
        Item::Create(object) => Key::of(object),
        Item::Patch { target, .. }
        | Item::Status { target, .. }
        | Item::Delete { target, .. }
        | Item::Finalize { target }
        | Item::Bind { target, .. }
        | Item::Approve { target, .. } => target.key.clone(),
        Item::Event(happening) => happening.regarding.key.clone(),
    }
}

fn described(item: &Item, verdict: &Verdict) -> String {
    let text = match item {
        Item::Bind { node, .. } => format!("bound to {node}"),
        Item::Create(object) if object.kind() == "Event" => happening(object),
        Item::Status { patch, .. } => {
            let conditions = patch.list_at(&["status", "conditions"]);
            let said = conditions.iter().filter_map(|one| one.str_at(&["message"]));
            let said: Vec<&str> = said.filter(|text| !text.is_empty()).collect();
            if said.is_empty() { shortened(item) } else { said.join("; ") }
        }
        _ => shortened(item),
    };
    match verdict {
        Verdict::Done { .. } => text,
        Verdict::Refused(refusal) => {
            format!("{text} was refused: {} {}", refusal.reason, refusal.message)
        }
    }
}

/// The head of an item's line: its patch may be long.
fn shortened(item: &Item) -> String {
    const LEN: usize = 120;
    let text = item.to_string();
    match text.char_indices().nth(LEN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
