//! Experiments and fault schedules as data.
