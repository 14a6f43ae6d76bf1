//! placeholder
use actors_core::{Intensity, OnLimit};
use actors_runtime::Tree;
use crate::control::Control;
pub(crate) fn tree(_control: &Control) -> Tree { Tree::new("scheduler", Intensity{restarts:1,period:std::time::Duration::from_secs(1)}, OnLimit::Escalate) }
