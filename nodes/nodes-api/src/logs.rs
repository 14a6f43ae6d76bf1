//! `pods/NAME/log`: what a container printed.
//!
//! Way in: [`answer`].  Spec: Kubernetes API reference, "read log of the specified Pod". A certificate that is revoked
//! ends the logs that it began.

use actix_web::HttpResponse;
use actors_object::{ApiError, Object};
use bytes::Bytes;
use futures_util::stream;
use nodes_client::{LogRequest, LogStream};
use nodes_door::{Target, Verb};

use crate::{
    edge::{Visit, bare_request},
    identity::{self, REVOKED, Revocation},
    watch::Never,
};

const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) async fn answer(visit: &Visit<'_>, target: Target) -> Result<HttpResponse, ApiError> {
    // The door authorizes `get pods/log` and answers the pod.
    let pod =
        visit.parts.client.call(bare_request(visit, Verb::Get, target)?).await.into_object()?;
    let query = &visit.query;
    // What is bound to no node has said nothing yet.
    let Ok(node) = node_of(&pod) else {
        return Ok(HttpResponse::Ok().content_type(TEXT).finish());
    };
    let request = LogRequest {
        node,
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        uid: pod.uid().to_owned(),
        container: container_of(&pod, query.text("container"))?,
        follow: query.truth("follow")?.unwrap_or(false),
        previous: query.truth("previous")?.unwrap_or(false),
        timestamps: query.truth("timestamps")?.unwrap_or(false),
        tail_lines: query.number("tailLines")?,
        since_seconds: query.number("sinceSeconds")?,
        since_time: query.text("sinceTime"),
        limit_bytes: query.number("limitBytes")?,
    };
    let log = visit.parts.streams.logs(request).await?;
    let revocation = identity::revocation(visit.http, visit.parts);
    let pieces = stream::unfold(Some((log, revocation)), next);
    Ok(HttpResponse::Ok().content_type(TEXT).streaming(pieces))
}

/// A log that is still being told, and what ends it.
type Told = (LogStream, Revocation);

async fn next(told: Option<Told>) -> Option<(Result<Bytes, Never>, Option<Told>)> {
    let (mut log, mut revocation) = told?;
    tokio::select! {
        biased;
        // A log has no place for a code: the last line says it.
        () = revocation.wait() => Some((Ok(Bytes::from(format!("{REVOKED}\n"))), None)),
        piece = log.pieces.recv() => Some((Ok(piece?), Some((log, revocation)))),
    }
}

/// The node that the pod runs on. Spec: a session with a pod that has none is a bad request.
pub(crate) fn node_of(pod: &Object) -> Result<String, ApiError> {
    let node = pod.0.str_at(&["spec", "nodeName"]).filter(|node| !node.is_empty());
    let unbound = || format!("pod {} does not have a host assigned", pod.name());
    node.map(str::to_owned).ok_or_else(|| ApiError::bad_request(unbound()))
}

/// The container that is meant: the named one, the default one, or the only one.
pub(crate) fn container_of(pod: &Object, wanted: Option<String>) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<String> {
        let of = pod.0.list_at(&["spec", list]).iter();
        of.filter_map(|container| container.str_at(&["name"])).map(str::to_owned).collect()
    };
    let main = names("containers");
    let others = [names("initContainers"), names("ephemeralContainers")].concat();
    let by_default =
        || pod.annotation("kubectl.kubernetes.io/default-container").map(str::to_owned);
    let Some(name) = wanted.or_else(by_default) else {
        return match main.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                pod.name(),
                main.join(" ")
            ))),
        };
    };
    if main.contains(&name) || others.contains(&name) {
        return Ok(name);
    }
    Err(ApiError::bad_request(format!("container {name} is not valid for pod {}", pod.name())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::sync::{mpsc, watch};

    use super::*;

    #[tokio::test]
    async fn a_log_whose_certificate_is_revoked_ends_with_a_line_that_says_so() {
        let revoked = watch::Sender::new(BTreeSet::new());
        let (sender, pieces) = mpsc::channel(2);
        let told = Some((LogStream { pieces }, Revocation::of("7", revoked.subscribe())));
        sender.send(Bytes::from("one\n")).await.expect("room");
        let (first, told) = next(told).await.expect("a piece");
        revoked.send_replace(BTreeSet::from(["7".to_owned()]));
        sender.send(Bytes::from("two\n")).await.expect("room");
        let (last, told) = next(told).await.expect("a piece");
        let all = [first, last].map(|piece| piece.unwrap_or_default()).concat();
        assert_eq!(String::from_utf8_lossy(&all), format!("one\n{REVOKED}\n"));
        assert!(next(told).await.is_none() && sender.is_closed());
    }
}
