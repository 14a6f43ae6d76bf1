//! The runtime of a simulated machine: everything that a pod asks for takes a while, and then it is
//! so.
//!
//! Way in: [`carry_out`].  A container runs until it is signalled; one in some ends by itself after
//! a while, with an error, so that restarts are seen.

use std::time::Duration;

use actors_core::Rng;
use actors_sim::NodeId;
use nodes_pods::{ContainerRef, Exit, ImageAnswer, PodEffect, PodEvent, ProbeOutcome, Signal};

use crate::{
    event::{Effect, Shown},
    server::Ctx,
};

/// Begins what a pod's machine asked for.
pub(super) fn carry_out(ctx: &mut Ctx<'_>, (node, uid): (NodeId, &str), effect: PodEffect) {
    let millis = |rng: &mut Rng, low, high| Duration::from_millis(rng.between(low, high));
    let (span, event) = match effect {
        PodEffect::SetUpVolumes => (millis(ctx.rng, 1, 10), PodEvent::VolumesReady),
        PodEffect::TearDownVolumes => (millis(ctx.rng, 1, 10), PodEvent::VolumesGone),
        PodEffect::CreateSandbox { attempt } => {
            let ips = vec![format!("10.42.{}.{}", node.0, ctx.rng.between(2, 250))];
            (millis(ctx.rng, 5, 60), PodEvent::SandboxReady { attempt, ips })
        }
        PodEffect::TearDownSandbox { attempt } => {
            (millis(ctx.rng, 5, 60), PodEvent::SandboxGone { attempt })
        }
        PodEffect::CheckImage { container, .. } => {
            let answer = ImageAnswer::Present { id: "sha256:1".to_owned() };
            (millis(ctx.rng, 1, 5), PodEvent::Image { container, answer })
        }
        PodEffect::StartContainer { container, .. } => return start(ctx, uid, container),
        PodEffect::CheckRoom { .. } => (millis(ctx.rng, 1, 5), PodEvent::Room { refusal: None }),
        PodEffect::Resize { .. } => (millis(ctx.rng, 1, 5), PodEvent::Resized { failure: None }),
        PodEffect::Signal { container, signal } => {
            let exit = exited(ctx, if signal == Signal::Kill { (137, 9) } else { (0, 0) });
            let longest = if signal == Signal::Kill { 50 } else { 1_500 };
            let id = id_of(uid, &container);
            (millis(ctx.rng, 5, longest), PodEvent::Exited { container, id, exit })
        }
        PodEffect::RunProbe { container, probe, .. } => {
            let outcome = ProbeOutcome::Success;
            (millis(ctx.rng, 1, 20), PodEvent::Probed { container, probe, outcome })
        }
        PodEffect::RunHook { container, hook, .. } => {
            (millis(ctx.rng, 1, 200), PodEvent::HookDone { container, hook, failure: None })
        }
        PodEffect::WakeAt(_)
        | PodEffect::Confirm
        | PodEffect::ReportStatus(_)
        | PodEffect::Event { .. }
        | PodEffect::FinalizeDelete => return,
    };
    later(ctx, uid, span, event);
}

fn start(ctx: &mut Ctx<'_>, uid: &str, container: ContainerRef) {
    let span = Duration::from_millis(ctx.rng.between(5, 80));
    let id = id_of(uid, &container);
    later(ctx, uid, span, PodEvent::Started { container: container.clone(), id: id.clone() });
    if ctx.rng.chance(30_000) {
        let exit = exited(ctx, (1, 0));
        let lived = Duration::from_millis(ctx.rng.between(200, 4_000));
        later(ctx, uid, span + lived, PodEvent::Exited { container, id, exit });
    }
}

/// The id of one life of a container.
fn id_of(uid: &str, container: &ContainerRef) -> String {
    format!("{uid}-{}-{}", container.name, container.attempt)
}

fn exited(ctx: &Ctx<'_>, (code, signal): (i32, i32)) -> Exit {
    Exit { code, signal, oom: false, started: None, at: ctx.now.wall, message: String::new() }
}

fn later(ctx: &mut Ctx<'_>, uid: &str, span: Duration, event: PodEvent) {
    // A container that ends does so whether an agent looks or not; all else is begun by an agent
    // and ends with it.
    let needs_agent = !matches!(event, PodEvent::Exited { .. });
    let (uid, event) = (uid.to_owned(), Shown(Box::new(event)));
    ctx.out.push(Effect::Machine { span, uid, event, needs_agent });
}
