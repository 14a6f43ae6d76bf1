//! The control plane of one process: store, door, controllers, scheduler as one supervised tree.
