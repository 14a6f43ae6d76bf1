//! What clients ask: drawn from the seed, a little of everything.
//!
//! Way in: [`draw`].

use actors_controllers::fencing;
use actors_object::{Value, value};
use chaos_judges::{Call, Expected, Freshness};
use nodes_door::{PatchKind, Request};

use crate::{
    ask::{CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, SECRETS, SERVICES},
    client::Client,
    record::REGISTERS,
    server::Ctx,
};

/// One request, and the call that it is for the judges.
pub(crate) struct Ask {
    pub(crate) request: Request,
    /// `None` if only the door's side of it is judged.
    pub(crate) call: Option<Call>,
    /// The register that it is about.
    pub(crate) register: Option<String>,
}

const NAMESPACE: Option<&str> = Some("default");
/// How many registers there are.
const REGISTERS_LEN: u64 = 8;
/// The Deployment whose pod must never run twice.
const FENCED: &str = "fenced";
/// How many Deployments there may be.
const DEPLOYMENTS_LEN: u64 = 4;

/// The next thing that a client asks.
pub(crate) fn draw(client: &mut Client, ctx: &mut Ctx<'_>) -> Ask {
    if ctx.rng.chance(ctx.shared.knobs.control_ppm) {
        return control(client, ctx);
    }
    let name = format!("r{}", ctx.rng.below(REGISTERS_LEN));
    let key = format!("{}{}", REGISTERS, &name[1..]);
    let freshness = if ctx.rng.chance(300_000) { Freshness::Stale } else { Freshness::Consistent };
    match ctx.rng.below(100) {
        0..30 => {
            let mut request = client.asker.get(CONFIG_MAPS, NAMESPACE, &name);
            age(&mut request, freshness);
            let call = Some(Call::Get { key, freshness });
            Ask { request, call, register: (freshness == Freshness::Consistent).then_some(name) }
        }
        30..38 => {
            let mut request = client.asker.list(CONFIG_MAPS, NAMESPACE);
            age(&mut request, freshness);
            let call = Some(Call::List { prefix: REGISTERS.to_owned(), freshness });
            Ask { request, call, register: None }
        }
        38..44 => {
            let request = client.asker.delete(CONFIG_MAPS, NAMESPACE, &name);
            client.known.remove(&name);
            Ask { request, call: None, register: None }
        }
        _ => write(client, ctx, name, key),
    }
}

/// A stale read says that any state will do.
fn age(request: &mut Request, freshness: Freshness) {
    if freshness == Freshness::Stale {
        request.options.resource_version = Some("0".to_owned());
    }
}

/// Creates, replaces or patches a register, as what the client knows of it allows.
fn write(client: &mut Client, ctx: &mut Ctx<'_>, name: String, key: String) -> Ask {
    client.written += 1;
    let text = format!("{}-{}", ctx.time.0 % 1_000_000_007, client.written);
    let mut body = value!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name.as_str() },
        "data": { "v": text.as_str() },
    });
    let at = (NAMESPACE, name.as_str());
    let known = client.known.get(&name).copied();
    let (request, expected) = match (known, ctx.rng.below(10)) {
        (Some(None), _) | (None, 0..3) => {
            (client.asker.create(CONFIG_MAPS, NAMESPACE, &body), Expected::Absent)
        }
        (Some(Some(revision)), 0..6) => {
            body.set_path(&["metadata", "resourceVersion"], revision.to_string());
            (client.asker.update(CONFIG_MAPS, at, &body), Expected::Revision(revision))
        }
        (_, 6..8) => (client.asker.update(CONFIG_MAPS, at, &body), Expected::Present),
        _ => {
            let patch = value!({ "data": { "v": text.as_str() } });
            let kind = PatchKind::Merge;
            (client.asker.patch(CONFIG_MAPS, at, kind, &patch), Expected::Present)
        }
    };
    let call = Some(Call::Write { key, value: Some(text), expected });
    Ask { request, call, register: Some(name) }
}

/// Something about the objects that control loops work on.
fn control(client: &mut Client, ctx: &mut Ctx<'_>) -> Ask {
    let number = ctx.rng.below(DEPLOYMENTS_LEN);
    let request = match ctx.rng.below(100) {
        0..8 => fenced(client, ctx),
        8..70 => deployment(client, ctx, "default", &format!("d{number}")),
        70..82 => service(client, ctx, &format!("d{number}")),
        82..90 => secret(client, ctx, &format!("s{number}")),
        _ => {
            let namespace = format!("n{}", ctx.rng.below(2));
            match ctx.rng.below(10) {
                0..4 => client.asker.create(NAMESPACES, None, &plain("Namespace", &namespace)),
                4..6 => client.asker.delete(NAMESPACES, None, &namespace),
                _ => deployment(client, ctx, &namespace, "d0"),
            }
        }
    };
    Ask { request, call: None, register: None }
}

fn plain(kind: &str, name: &str) -> Value {
    value!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } })
}

fn service(client: &Client, ctx: &mut Ctx<'_>, name: &str) -> Request {
    if ctx.rng.chance(250_000) {
        return client.asker.delete(SERVICES, NAMESPACE, name);
    }
    let mut body = plain("Service", name);
    body.set_path(&["spec"], value!({ "selector": { "app": name }, "ports": [{ "port": 80 }] }));
    client.asker.create(SERVICES, NAMESPACE, &body)
}

fn secret(client: &Client, ctx: &mut Ctx<'_>, name: &str) -> Request {
    let mut body = plain("Secret", name);
    body.set_path(&["stringData"], value!({ "word": format!("{:016x}", ctx.rng.next_u64()) }));
    match ctx.rng.below(4) {
        0 => client.asker.delete(SECRETS, NAMESPACE, name),
        1 => client.asker.get(SECRETS, NAMESPACE, name),
        2 => client.asker.update(SECRETS, (NAMESPACE, name), &body),
        _ => client.asker.create(SECRETS, NAMESPACE, &body),
    }
}

fn deployment(client: &Client, ctx: &mut Ctx<'_>, namespace: &str, name: &str) -> Request {
    let at = (Some(namespace), name);
    let replicas = i64::try_from(ctx.rng.between(0, 5)).unwrap_or(1);
    let image = format!("web:{}", ctx.rng.below(1_000));
    let asker = &client.asker;
    match ctx.rng.below(10) {
        0..4 => asker.create(DEPLOYMENTS, at.0, &body(name, replicas, &image)),
        4..7 => {
            let patch = value!({ "spec": { "replicas": replicas } });
            asker.patch(DEPLOYMENTS, at, PatchKind::Merge, &patch)
        }
        7..9 => {
            let containers = value!([{ "name": "web", "image": image.as_str() }]);
            let patch =
                value!({ "spec": { "template": { "spec": { "containers": containers } } } });
            asker.patch(DEPLOYMENTS, at, PatchKind::Strategic, &patch)
        }
        _ => asker.delete(DEPLOYMENTS, at.0, name),
    }
}

/// The one Deployment whose pod must never run twice. It is never deleted: of two lives of it
/// nothing is promised.
fn fenced(client: &Client, ctx: &mut Ctx<'_>) -> Request {
    let image = format!("web:{}", ctx.rng.below(1_000));
    let at = (NAMESPACE, FENCED);
    if ctx.rng.chance(500_000) {
        let mut body = body(FENCED, 1, &image);
        body.set_path(&["spec", "strategy"], value!({ "type": "Recreate" }));
        let annotations = ["spec", "template", "metadata", "annotations", fencing::FENCE_AFTER];
        body.set_path(&annotations, "15s");
        return client.asker.create(DEPLOYMENTS, NAMESPACE, &body);
    }
    let patch = match ctx.rng.below(3) {
        0 => value!({ "spec": { "replicas": i64::from(ctx.rng.chance(800_000)) } }),
        _ => {
            let containers = value!([{ "name": "web", "image": image.as_str() }]);
            value!({ "spec": { "template": { "spec": { "containers": containers } } } })
        }
    };
    client.asker.patch(DEPLOYMENTS, at, PatchKind::Strategic, &patch)
}

fn body(name: &str, replicas: i64, image: &str) -> Value {
    value!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "terminationGracePeriodSeconds": 2,
                    "containers": [{ "name": "web", "image": image }],
                },
            },
        },
    })
}
