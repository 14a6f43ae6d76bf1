//! In which form a client wants its answer.
//!
//! Way in: [`Form::of`].  Spec: Kubernetes API concepts, "Alternate representations of resources": the `Accept`
//! header lists media types with the parameters `as`, `v`, `g`; the first that can be served wins.

use crate::yaml;

/// A form of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects themselves.
    Json,
    /// Rows for people.
    Table,
    /// Only metadata.
    Metadata,
    /// The objects themselves, in protobuf.
    Protobuf,
    /// Only metadata, in protobuf.
    ProtobufMetadata,
    /// Aggregated discovery, version 2.
    DiscoveryV2,
    /// Aggregated discovery, version 2beta1.
    DiscoveryV2Beta1,
    /// Aggregated discovery, version 2, in protobuf.
    DiscoveryV2Protobuf,
    /// Aggregated discovery, version 2beta1, in protobuf.
    DiscoveryV2Beta1Protobuf,
}

impl Form {
    /// The first form of an `Accept` header that is served here; `None` if none is.
    pub(crate) fn of(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Json);
        }
        accept.split(',').find_map(|item| Self::of_item(item.trim()))
    }

    fn of_item(item: &str) -> Option<Self> {
        let mut parts = item.split(';').map(str::trim);
        let media = parts.next()?;
        let parameter = |wanted: &str| {
            let mut pairs = item.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
            pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
        };
        let is_protobuf = media == "application/vnd.kubernetes.protobuf";
        let is_json = matches!(media, "application/json" | yaml::MEDIA | "application/*" | "*/*");
        if !is_protobuf && !is_json {
            return None;
        }
        match (parameter("as"), parameter("g"), parameter("v")) {
            (None, _, _) if is_protobuf => Some(Self::Protobuf),
            (None, _, _) => Some(Self::Json),
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("meta.k8s.io"),
                _,
            ) if is_protobuf => Some(Self::ProtobufMetadata),
            (Some("APIGroupDiscoveryList"), _, Some("v2")) if is_protobuf => {
                Some(Self::DiscoveryV2Protobuf)
            }
            (Some("APIGroupDiscoveryList"), _, Some("v2beta1")) if is_protobuf => {
                Some(Self::DiscoveryV2Beta1Protobuf)
            }
            _ if is_protobuf => None,
            (Some("Table"), Some("meta.k8s.io"), Some("v1" | "v1beta1")) => Some(Self::Table),
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("meta.k8s.io"),
                _,
            ) => Some(Self::Metadata),
            (Some("APIGroupDiscoveryList"), _, Some("v2")) => Some(Self::DiscoveryV2),
            (Some("APIGroupDiscoveryList"), _, Some("v2beta1")) => Some(Self::DiscoveryV2Beta1),
            _ => None,
        }
    }

    /// The `Content-Type` of an answer in this form. Clients of aggregated discovery insist on its parameters.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Table | Self::Metadata => "application/json",
            Self::Protobuf | Self::ProtobufMetadata => "application/vnd.kubernetes.protobuf",
            Self::DiscoveryV2 => {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
            Self::DiscoveryV2Protobuf => {
                "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
            Self::DiscoveryV2Beta1Protobuf => {
                "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
            Self::DiscoveryV2Beta1 => {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_wins() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        let discovery =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        let protobuf = "application/vnd.kubernetes.protobuf,application/json";
        for (accept, form) in [
            ("", Some(Form::Json)),
            ("*/*", Some(Form::Json)),
            (table, Some(Form::Table)),
            (discovery, Some(Form::DiscoveryV2)),
            (protobuf, Some(Form::Protobuf)),
            ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", None),
            // Written as YAML in the end.
            ("application/yaml", Some(Form::Json)),
            ("text/html", None),
        ] {
            assert_eq!(Form::of(accept), form, "{accept}");
        }
    }
}
