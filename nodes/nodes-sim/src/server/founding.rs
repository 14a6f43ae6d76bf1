//! What every cluster has from its first minute: made by whoever begins to lead, as far as it is not
//! there.
//!
//! Way in: [`foundation`], [`Server::found_next`].

use actors_controller::Controller;
use actors_kinds::Registry;
use actors_object::Object;
use nodes_control::{health, roles_of};
use nodes_door::{
    Body, Identity, Media, Options, Request, Response, ResponseBody, Target, Verb,
    bootstrap_objects,
};
use std::sync::Arc;
use store_mvcc::Key;

use super::{Ctx, Inner, Origin, Server};
use crate::report::Invariant;

/// The objects that every cluster has, in order: namespaces, roles, bindings; where each is stored,
/// and the request that makes it.
pub(crate) fn foundation(
    controllers: &[Arc<dyn Controller>],
    registry: &Registry,
) -> Vec<(Key, Request)> {
    let roles = controllers.iter().flat_map(|one| roles_of(one.as_ref(), registry));
    let own: Vec<_> = roles.chain(health::roles(registry)).collect();
    let is_own = |object: &Object| {
        own.iter().any(|role| role.kind() == object.kind() && role.name() == object.name())
    };
    let general =
        bootstrap_objects().into_iter().filter(|object| !is_own(object)).collect::<Vec<_>>();
    general.iter().chain(&own).filter_map(|object| creation(object, registry)).collect()
}

fn creation(object: &Object, registry: &Registry) -> Option<(Key, Request)> {
    let facts = registry.kind(&object.gvk())?;
    let namespace = facts.namespaced.then(|| object.namespace().to_owned());
    let storage = &facts.storage;
    let key = Key::object(&storage.group, &storage.resource, namespace.as_deref(), object.name());
    let target = Target {
        group: facts.gvk.group.clone(),
        version: facts.gvk.version.clone(),
        resource: facts.plural.clone(),
        subresource: None,
        namespace,
        name: None,
    };
    let request = Request {
        identity: Identity::new("system:starling:bootstrap", &["system:masters"]),
        verb: Verb::Create,
        target,
        options: Options::default(),
        body: Body { media: Media::Json, bytes: actors_object::json::to_vec(&object.0).into() },
        user_agent: "bootstrap".to_owned(),
    };
    Some((key, request))
}

impl Server {
    /// Makes sure of the next object that every cluster has.
    pub(super) fn found_next(&mut self, ctx: &Ctx<'_>) {
        let Some(control) = &mut self.control else { return };
        if control.is_founding {
            return;
        }
        let snapshot = self.replica.snapshot();
        let foundation = &ctx.shared.foundation;
        while let Some((key, request)) =
            control.unfounded.clone().next().and_then(|next| foundation.get(next))
        {
            if snapshot.get(key).is_none() {
                control.is_founding = true;
                let origin = Origin::Bootstrap { epoch: control.epoch.0 };
                let request = Box::new(request.clone());
                return self.inbox.push_back(Inner::Ask { origin, request });
            }
            control.unfounded.next();
        }
    }

    /// The door answered.
    pub(super) fn founded(&mut self, ctx: &mut Ctx<'_>, response: &Response) {
        let Some(control) = &mut self.control else { return };
        control.is_founding = false;
        match &response.body {
            // Tried again with the next sweep.
            ResponseBody::Error(error) if !error.is_already_exists() && error.code >= 500 => return,
            ResponseBody::Error(error) if !error.is_already_exists() => {
                let what = format!("bootstrap was refused: {}", error.message);
                ctx.record.violation(Invariant::AnswersMakeSense, what);
                control.unfounded.next();
                return;
            }
            _ => {}
        }
        control.unfounded.next();
        self.found_next(ctx);
    }
}
