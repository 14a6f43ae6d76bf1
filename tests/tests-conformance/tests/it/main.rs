//! What Kubernetes' users may rely on, held against what was recorded of Kubernetes itself.

mod golden;
