//! Production host on ractor and tokio: dedicated and slab actors, registry, supervisor, observer.
