//! A door before a real store in memory.

use std::{sync::Arc, time::Duration};

use actors_core::{Mono, Now, Rng, Turn, Wall};
use actors_kinds::Registry;
use actors_object::{Value, json};
use actors_sim::SimDisk;
use expect_test::Expect;
use store_catalog::{Catalog, RingLimits, Snapshot};
use store_mvcc::{
    Applied, Change, ChangeKind, Columns, GroupId, Key, LEVEL_MAX, Mvcc, Op, Proposal, Revision,
    Token, Writer,
};

use crate::{
    Body, Door, DoorConfig, FieldValidation, Identity, Media, Options, PatchKind, Request,
    Response, ResponseBody, Sealer, Step, Target, Verb, bootstrap_objects,
};

/// A door, a store, a clock.
pub(super) struct Scene {
    pub(super) door: Door,
    pub(super) catalog: Catalog,
    pub(super) events: Vec<Arc<store_catalog::Event>>,
    mvcc: Mvcc,
    rng: Rng,
    now: Now,
    index: u64,
    identity: Identity,
    last: Value,
    trace: String,
}

/// Runs a script on a cluster that has just been made, and compares the trace.
#[track_caller]
pub(super) fn check(script: &str, expected: &Expect) {
    let mut scene = Scene::new();
    scene.run(script);
    expected.assert_eq(&scene.trace);
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with_registry(Registry::builtin().expect("the tables are good"))
    }

    pub(super) fn with_registry(registry: Registry) -> Self {
        let sealer = Arc::new(Sealer::new(&[(1, [3; 32])]).expect("one key"));
        let door = Door::new(registry, DoorConfig::default(), Some(sealer));
        let disk = SimDisk::new(Rng::from_number(1));
        let mvcc = Mvcc::open(Arc::new(disk.state("state")), GroupId::MAIN).expect("opens");
        let catalog = Catalog::new(RingLimits::default(), door.opener());
        let mut scene = Self {
            door,
            catalog,
            events: Vec::new(),
            mvcc,
            rng: Rng::from_number(7),
            now: Now { mono: Mono(0), wall: Wall(1_795_248_300_000_000_000) },
            index: 0,
            identity: Identity::new("admin", &["system:masters"]),
            last: Value::Null,
            trace: String::new(),
        };
        scene.agree();
        for object in bootstrap_objects() {
            let roles = "/apis/rbac.authorization.k8s.io/v1";
            let flows = "/apis/flowcontrol.apiserver.k8s.io/v1";
            let namespace = object.namespace();
            let plural = match object.kind() {
                "Namespace" => "/api/v1/namespaces".to_owned(),
                "PriorityClass" => "/apis/scheduling.k8s.io/v1/priorityclasses".to_owned(),
                "PriorityLevelConfiguration" => format!("{flows}/prioritylevelconfigurations"),
                "FlowSchema" => format!("{flows}/flowschemas"),
                "ClusterRole" => format!("{roles}/clusterroles"),
                "ClusterRoleBinding" => format!("{roles}/clusterrolebindings"),
                "Role" => format!("{roles}/namespaces/{namespace}/roles"),
                _ => format!("{roles}/namespaces/{namespace}/rolebindings"),
            };
            let response = scene.request(&format!("POST {plural}"), &json::to_vec(&object));
            assert_eq!(response.code, 201, "{:?}", response.body);
        }
        for namespace in ["default", "kube-system"] {
            let body =
                format!("{{\"metadata\":{{\"name\":\"default\",\"namespace\":\"{namespace}\"}}}}");
            let line = format!("POST /api/v1/namespaces/{namespace}/serviceaccounts");
            assert_eq!(scene.request(&line, body.as_bytes()).code, 201);
        }
        scene.pad();
        scene.trace.clear();
        scene
    }

    /// All replicas agree on what this build can do.
    fn agree(&mut self) {
        let proposal = self.own(Op::RaiseLevel(LEVEL_MAX));
        self.apply(&proposal);
    }

    /// A proposal that no request led to.
    fn own(&self, op: Op) -> Proposal {
        Proposal {
            group: GroupId::MAIN,
            writer: Writer::unplaced("test"),
            token: Token::NONE,
            feature_level: 1,
            at: self.now.wall,
            atomic: true,
            ops: vec![op],
        }
    }

    /// Begins at revision 100, however many objects a cluster begins with.
    fn pad(&mut self) {
        while self.mvcc.position().revision < Revision(100) {
            let proposal = self.own(Op::Put {
                key: Key::from("/pad"),
                value: "{}".into(),
                columns: Columns::default(),
                expect: store_mvcc::Expect::Any,
                lease: None,
            });
            self.apply(&proposal);
        }
        // Nor may names and addresses depend on how much was drawn before.
        self.rng = Rng::from_number(8);
    }

    /// Runs a script; what happens is added to the trace.
    pub(super) fn run(&mut self, script: &str) {
        let mut lines = script.lines().filter(|line| !line.trim().is_empty()).peekable();
        let margin = script.lines().find(|line| !line.trim().is_empty());
        let margin = margin.map_or(0, |line| line.len() - line.trim_start().len());
        while let Some(line) = lines.next() {
            let line = line.get(margin..).unwrap_or(line);
            if let Some(who) = line.strip_prefix("@ ") {
                let words: Vec<&str> = who.split(' ').collect();
                self.identity = Identity::new(words[0], &words[1..]);
            } else if let Some(seconds) = line.strip_prefix('+') {
                let seconds = seconds.trim_end_matches('s').parse().expect("seconds");
                let span = Duration::from_secs(seconds);
                self.now = Now { mono: self.now.mono.after(span), wall: self.now.wall.after(span) };
            } else if let Some(path) = line.strip_prefix("? ") {
                let shown = json::to_string(find(&self.last, path));
                self.trace.push_str(&format!("    {path} = {shown}\n"));
            } else {
                let mut body = String::new();
                let is_body = |next: &&str| next.starts_with(&" ".repeat(margin + 1));
                while let Some(next) = lines.next_if(is_body) {
                    body.push_str(next.get(margin + 2..).unwrap_or_default());
                    body.push('\n');
                }
                self.note(line);
                self.request(line, body.as_bytes());
            }
        }
    }

    /// Sends one request and drives it to its answer.
    pub(super) fn request(&mut self, line: &str, body: &[u8]) -> Response {
        let request = self.parse(line, body);
        let step = self.decide(&request);
        self.finish(step)
    }

    /// Decides a request on what is there now.
    pub(super) fn decide(&mut self, request: &Request) -> Step {
        self.turn(|door, turn| door.decide(request, turn))
    }

    /// Drives a step to its answer.
    pub(super) fn finish(&mut self, mut step: Step) -> Response {
        let mut changed = String::new();
        let response = loop {
            match step {
                Step::Reply(response) => break response,
                Step::Sign(ticket) => break ticket.finish("signed"),
                Step::Verify(question) => {
                    let why = Err("no signature is good here".to_owned());
                    break question.finish(why, &self.catalog.snapshot());
                }
                Step::Propose { proposal, pending } => {
                    let applied = self.apply(&proposal);
                    let shown = applied.changes.iter().map(|change| shown_change(change));
                    changed.extend(shown);
                    let outcome = applied.outcome;
                    step = self.turn(|door, turn| door.settle(*pending, &outcome, turn));
                }
            }
        };
        let shown = self.shown(&response);
        self.trace.push_str(&format!("  {shown}\n{changed}"));
        response
    }

    /// Adds a line to the trace.
    pub(super) fn note(&mut self, line: &str) {
        self.trace.push_str(&format!("{line}\n"));
    }

    /// Applies a proposal as the store would.
    pub(super) fn apply(&mut self, proposal: &Proposal) -> Applied {
        self.index += 1;
        let applied = self.mvcc.apply(self.index, 1, proposal).expect("applied");
        self.mvcc.commit().expect("committed");
        let revision = self.mvcc.position().revision;
        let published = self.catalog.publish(&applied.changes, revision);
        self.catalog.set_level(self.mvcc.position().level);
        self.events.extend(published.events);
        applied
    }

    /// The last answer, if it is a text: a continue token.
    pub(super) fn last_text(&self) -> String {
        self.last.as_str().unwrap_or_default().to_owned()
    }

    /// A text in the last answer.
    pub(super) fn last_path(&self, path: &str) -> String {
        find(&self.last, path).as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn trace(&self) -> &str {
        &self.trace
    }

    /// A request as a script writes it.
    pub(super) fn parse(&self, line: &str, body: &[u8]) -> Request {
        let (word, path) = line.split_once(' ').expect("a verb and a path");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target = target(path);
        let verb = match (word, target.name.is_some()) {
            ("GET", true) => Verb::Get,
            ("GET", false) => Verb::List,
            ("WATCH", _) => Verb::Watch,
            ("POST", _) => Verb::Create,
            ("PUT", _) => Verb::Update,
            ("MERGE", _) => Verb::Patch(PatchKind::Merge),
            ("JSON", _) => Verb::Patch(PatchKind::Json),
            ("STRATEGIC", _) => Verb::Patch(PatchKind::Strategic),
            ("APPLY", _) => Verb::Patch(PatchKind::Apply),
            ("DELETE", true) => Verb::Delete,
            ("DELETE", false) => Verb::DeleteCollection,
            (other, _) => panic!("{other} is no verb"),
        };
        let media = match body {
            [b'{', ..] => Media::Json,
            [b'k', b'8', b's', 0, ..] => Media::Protobuf,
            _ => Media::Yaml,
        };
        Request {
            identity: self.identity.clone(),
            verb,
            target,
            options: options(query),
            body: Body { media, bytes: body.to_vec().into() },
            user_agent: "test".to_owned(),
        }
    }

    /// Works with the door on what is there now.
    pub(super) fn turn<T>(&mut self, work: impl FnOnce(&Door, &mut Turn<'_, Snapshot>) -> T) -> T {
        let snapshot = self.catalog.snapshot();
        let mut turn = Turn { now: self.now, rng: &mut self.rng, view: &snapshot };
        work(&self.door, &mut turn)
    }

    fn shown(&mut self, response: &Response) -> String {
        let code = response.code;
        let mut text = match &response.body {
            ResponseBody::Entry(entry) => {
                self.last = entry.object().0.clone();
                let object = entry.object();
                format!("{code} {} {} @{}", object.kind(), object.name(), object.resource_version())
            }
            ResponseBody::List(list) => {
                let names: Vec<String> =
                    list.entries.iter().map(|entry| entry.object().name().to_owned()).collect();
                self.last = list.continue_token.clone().into();
                let remaining = list.remaining.map(|rest| format!(" +{rest}")).unwrap_or_default();
                format!("{code} {} [{}]{remaining}", list.kind, names.join(" "))
            }
            ResponseBody::Success(status) => {
                self.last = status.clone();
                format!("{code} Success")
            }
            ResponseBody::Error(error) => {
                self.last = error.to_value();
                format!("{code} {}: {}", error.reason.as_str(), error.message)
            }
        };
        for warning in &response.warnings {
            text.push_str(&format!("\n    warning: {warning}"));
        }
        text
    }
}

fn shown_change(change: &Change) -> String {
    let mark = if change.kind == ChangeKind::Put { '+' } else { '-' };
    format!("  {mark} {}\n", change.key)
}

/// `a.b.0.c`; `=` stands for a dot within a name.
fn find<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, step| match step.parse::<usize>() {
        Ok(index) if value.as_list().is_some() => &value.as_list().unwrap_or_default()[index],
        _ => value.at(&step.replace('=', ".")),
    })
}

fn target(path: &str) -> Target {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => panic!("{path} is no path of an object"),
    };
    let owned = |text: &str| Some(text.to_owned());
    let (namespace, rest) = match rest {
        ["namespaces", _, "status" | "finalize"] | ["namespaces"] | ["namespaces", _] => {
            (None, rest)
        }
        ["namespaces", namespace, rest @ ..] => (owned(namespace), rest),
        rest => (None, rest),
    };
    Target {
        group: group.to_owned(),
        version: version.to_owned(),
        resource: rest[0].to_owned(),
        namespace,
        name: rest.get(1).map(|name| (*name).to_owned()),
        subresource: rest.get(2).map(|name| (*name).to_owned()),
    }
}

fn options(query: &str) -> Options {
    let mut options = Options { field_validation: FieldValidation::Strict, ..Options::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').expect("name=value");
        let text = text.to_owned();
        match name {
            "dryRun" => options.dry_run = true,
            "validation" if text == "Warn" => options.field_validation = FieldValidation::Warn,
            "validation" => options.field_validation = FieldValidation::Ignore,
            "labels" => options.label_selector = Some(text),
            "fields" => options.field_selector = Some(text),
            "rv" => options.resource_version = Some(text),
            "match" => options.resource_version_match = Some(text),
            "limit" => options.limit = text.parse().ok(),
            "continue" => options.continue_token = Some(text),
            "propagation" => options.propagation_policy = Some(text),
            "grace" => options.grace_period_seconds = text.parse().ok(),
            "uid" => options.precondition_uid = Some(text),
            "ifrv" => options.precondition_resource_version = Some(text),
            "bookmarks" => options.allow_bookmarks = text == "true",
            "timeout" => options.timeout_seconds = text.parse().ok(),
            "initial" => options.send_initial_events = Some(text == "true"),
            "fieldManager" => options.field_manager = Some(text),
            "force" => options.force = text == "true",
            other => panic!("{other} is no option"),
        }
    }
    options
}
