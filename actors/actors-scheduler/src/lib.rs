//! Which node a pod runs on: filtering, scoring, batches, explanations.
