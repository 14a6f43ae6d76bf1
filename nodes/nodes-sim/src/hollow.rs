//! A machine that runs pods, without its agent: sandboxes and containers that outlive the agent's
//! process, each with the shim's deadline. It is lost with the machine's power only.
//!
//! Way in: [`Hollow::take`], [`Hollow::fall`], [`Hollow::adopted`].  Never: a decision; agents
//! decide, shims keep deadlines.

use std::collections::BTreeMap;

use actors_core::{Mono, Now};
use actors_object::Object;
use actors_sim::NodeId;
use nodes_pods::{Adopted, AdoptedContainer, AdoptedSandbox, ContainerRef, Exit, PodEvent};

use crate::fences::Fences;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Hollow {
    places: BTreeMap<String, Place>,
    /// How often an agent found containers of an earlier life.
    pub(crate) adoptions: u64,
}

/// What runs of one pod.
#[derive(Debug, Default)]
struct Place {
    /// The fenced pods that it must be alone among, if it has a fence.
    app: Option<String>,
    image: String,
    sandbox: Option<AdoptedSandbox>,
    containers: Vec<AdoptedContainer>,
    deadline: Option<Mono>,
    /// The fence fell since an agent looked.
    fallen: Option<actors_core::Wall>,
}

/// What the machine's events are lent.
pub(crate) struct Site<'a> {
    pub(crate) me: NodeId,
    pub(crate) now: Now,
    pub(crate) fences: &'a mut Fences,
}

impl Hollow {
    /// Makes room for a pod.
    pub(crate) fn know(&mut self, uid: &str, pod: &Object) {
        let place = self.places.entry(uid.to_owned()).or_default();
        let fenced = actors_controllers::fencing::is_fenced(pod);
        let app = pod.label("app").filter(|_| fenced);
        place.app = app.map(|app| format!("{}/{app}", pod.namespace()));
        let container = pod.list_at(&["spec", "containers"]).first();
        place.image =
            container.and_then(|one| one.str_at(&["image"])).unwrap_or_default().to_owned();
    }

    /// Every pod of which something is left here.
    pub(crate) fn uids(&self) -> impl Iterator<Item = &String> {
        self.places.keys()
    }

    /// What an agent finds that has just begun.
    pub(crate) fn adopted(&mut self, uid: &str) -> Adopted {
        let Some(place) = self.places.get_mut(uid) else { return Adopted::default() };
        self.adoptions += u64::from(place.containers.iter().any(|one| one.exit.is_none()));
        Adopted {
            sandbox: place.sandbox.clone(),
            containers: place.containers.clone(),
            fenced: place.fallen.take(),
        }
    }

    /// Whether a pod's deadline lets it run now; one without a fence has none.
    pub(crate) fn may_run(&self, uid: &str, now: Mono) -> bool {
        let place = self.places.get(uid);
        place.is_some_and(|place| {
            place.app.is_none() || place.deadline.is_some_and(|deadline| deadline > now)
        })
    }

    pub(crate) fn set_deadline(&mut self, uid: &str, at: Mono) {
        if let Some(place) = self.places.get_mut(uid) {
            place.deadline = Some(at);
        }
    }

    /// Something that was begun has ended. False if it ended in nothing, for what it was about is
    /// gone.
    pub(crate) fn take(&mut self, uid: &str, event: &PodEvent, site: &mut Site<'_>) -> bool {
        let Some(place) = self.places.get_mut(uid) else { return false };
        match event {
            PodEvent::SandboxReady { attempt, ips } => {
                place.sandbox = Some(AdoptedSandbox { attempt: *attempt, ips: ips.clone() });
                place.containers.clear();
            }
            PodEvent::SandboxGone { .. } => {
                place.end_all(uid, site);
                place.sandbox = None;
                place.containers.clear();
            }
            PodEvent::Started { container, id } => return place.start(uid, (container, id), site),
            PodEvent::Exited { id, exit, .. } => return place.end(uid, id, exit, site),
            _ => {}
        }
        true
    }

    /// The shim of a pod looks at its deadline; the sandbox that fell, if it has passed.
    pub(crate) fn fall(&mut self, uid: &str, site: &mut Site<'_>) -> Option<u32> {
        let place = self.places.get_mut(uid)?;
        let due = place.deadline.is_some_and(|deadline| deadline <= site.now.mono);
        let sandbox = place.sandbox.take_if(|_| due)?;
        place.end_all(uid, site);
        place.fallen = Some(site.now.wall);
        Some(sandbox.attempt)
    }

    /// Ends what is left of a pod.
    pub(crate) fn remove(&mut self, uid: &str, site: &mut Site<'_>) {
        if let Some(mut place) = self.places.remove(uid) {
            place.end_all(uid, site);
        }
    }

    /// The machine loses its power.
    pub(crate) fn go_dark(&mut self, me: NodeId, fences: &mut Fences) {
        for (uid, place) in std::mem::take(&mut self.places) {
            for container in place.containers.iter().filter(|one| one.exit.is_none()) {
                fences.stop(place.app.as_deref(), (me, &uid), &container.id);
            }
        }
    }
}

impl Place {
    fn start(
        &mut self,
        uid: &str,
        (container, id): (&ContainerRef, &str),
        site: &mut Site<'_>,
    ) -> bool {
        if self.sandbox.is_none() {
            return false;
        }
        self.containers.push(AdoptedContainer {
            container: container.clone(),
            id: id.to_owned(),
            image: self.image.clone(),
            image_id: "sha256:1".to_owned(),
            started: site.now.wall,
            exit: None,
        });
        site.fences.start(self.app.as_deref(), (site.me, uid), id);
        true
    }

    fn end(&mut self, uid: &str, id: &str, exit: &Exit, site: &mut Site<'_>) -> bool {
        let running = self.containers.iter_mut().find(|one| one.id == id && one.exit.is_none());
        let Some(container) = running else { return false };
        container.exit = Some(exit.clone());
        site.fences.stop(self.app.as_deref(), (site.me, uid), id);
        true
    }

    fn end_all(&mut self, uid: &str, site: &mut Site<'_>) {
        let exit = Exit {
            code: 137,
            signal: 9,
            oom: false,
            started: None,
            at: site.now.wall,
            message: String::new(),
        };
        for container in self.containers.iter_mut().filter(|one| one.exit.is_none()) {
            container.exit = Some(exit.clone());
            site.fences.stop(self.app.as_deref(), (site.me, uid), &container.id);
        }
    }
}
