//! Pod network (bridge, veth) and the service proxy (nf_tables) behind their ports.
